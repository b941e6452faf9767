/* SPDX-License-Identifier: MIT */
/*
 * A "mark" finds out where the pages of strays (pin/store.h) are mapped. It looks at all
 * present memory of the process, moves the pins to the addresses found, and unpins strays
 * whose page is not mapped anywhere. When in doubt, strays stay. Needs the lock.
 */
#ifndef PIN_MARK_H
#define PIN_MARK_H

#include <stdbool.h>
#include <stddef.h>

/* False when the mark failed: all strays are still there. */
bool mark(void);

/*
 * lookups is the number of pages looked up since the last call. True when there are so
 * many strays, or lookups since the last mark, that a mark costs little in comparison.
 */
bool mark_is_due(size_t lookups);

#endif
