/* SPDX-License-Identifier: MIT */
/*
 * Finds the pins of memory that was given back, or moved, where no preload sees
 * it. Needs the lock.
 */
#ifndef PIN_SWEEP_H
#define PIN_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

/* Does its share of the work, at a lookup of so many pages. */
void sweep(size_t pages);

/* Does all of it. True when that unpinned something. */
bool sweep_all(void);

#endif
