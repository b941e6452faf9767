/* SPDX-License-Identifier: MIT */
/*
 * Finds out where the pages of strays are: all of the process's present memory is
 * looked at once. A stray whose page is nowhere is unpinned; what is in doubt
 * stays. Needs the lock.
 */
#ifndef PIN_MARK_H
#define PIN_MARK_H

#include <stdbool.h>
#include <stddef.h>

/* False when it could not be told, and all strays are still there. */
bool mark(void);

/* True when there are so many strays, after so many lookups, that a mark costs little. */
bool mark_is_due(size_t lookups);

#endif
