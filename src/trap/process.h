/* SPDX-License-Identifier: MIT */
/* Processes that the program makes, and what it becomes. */
#ifndef TRAP_PROCESS_H
#define TRAP_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "trap/slot.h"

/* fork(), and clone() without CLONE_VM: a child with memory of its own. */
long process_fork(struct slot *slot, long nr, const long a[6]);

/*
 * execve() and execveat(), on the program's own stack, which is all that is left of this
 * thread if another one's exec() is faster. mask is what the program has blocked. Returns
 * if it fails.
 */
long process_exec(long nr, const long a[6], uint64_t mask);

/* What the data of the image were before it ran. Before anything else. 0 or a negative errno. */
int process_keep_data(void);

#endif
