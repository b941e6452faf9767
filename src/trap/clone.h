/* SPDX-License-Identifier: MIT */
/* fork(), clone() and clone3() of the program. They return a pid, 0 in a child, or -errno. */
#ifndef TRAP_CLONE_H
#define TRAP_CLONE_H

#include <stdbool.h>

#include "trap/slot.h"

/* fork(), or clone() without CLONE_VM: the child has its own memory. */
long clone_fork(struct slot *slot, long nr, const long a[6]);

/* clone3(). A child in the program's memory does not return here: program_clone(). */
long clone_3(struct slot *slot, const long a[6]);

#endif
