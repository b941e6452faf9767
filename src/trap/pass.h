/* SPDX-License-Identifier: MIT */
/*
 * Trapped calls that do not concern the library. The program makes them itself, by
 * program_pass(), as if they had not been trapped.
 */
#ifndef TRAP_PASS_H
#define TRAP_PASS_H

#include <stdbool.h>

/*
 * True for such a call. Takes no lock, makes no system call and does not read the program's
 * memory. Async-signal-safe.
 */
bool pass_is_programs(long nr, const long a[6]);

#endif
