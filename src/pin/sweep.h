/* SPDX-License-Identifier: MIT */
/*
 * A "sweep" compares the pins with the process's pagemap entries. Those whose page is no
 * longer at its address become strays (pin/store.h). It finds memory that was unmapped or
 * moved without the library noticing. Needs the lock.
 */
#ifndef PIN_SWEEP_H
#define PIN_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

/* Does a part of the sweep, in proportion to the number of pages in a lookup. */
void sweep(size_t pages);

/* Sweeps everything, and marks (pin/mark.h) if there are strays. True when that removed any. */
bool sweep_all(void);

#endif
