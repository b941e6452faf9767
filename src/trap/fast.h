/* SPDX-License-Identifier: MIT */
/*
 * The calls that drivers make most often, answered in the handler of SIGSYS. That saves the
 * calls that change the stack and the signal mask.
 */
#ifndef TRAP_FAST_H
#define TRAP_FAST_H

#include <stdbool.h>

/*
 * True when the call was answered, with its result in *ret: a lookup of pages that are all
 * pinned. False: nothing was done. Async-signal-safe; never sleeps.
 */
bool fast_answer(long nr, const long a[6], long *ret);

#endif
