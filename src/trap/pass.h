/* SPDX-License-Identifier: MIT */
/*
 * Calls that were trapped and do not concern the library after all: the program makes them
 * itself, by program_pass(), as if they had not been trapped.
 */
#ifndef TRAP_PASS_H
#define TRAP_PASS_H

#include <stdbool.h>

/* Told without a lock, a call, or a look at the program's memory. Async-signal-safe. */
bool pass_is_programs(long nr, const long a[6]);

#endif
