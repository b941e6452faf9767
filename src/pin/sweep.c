/* SPDX-License-Identifier: MIT */
#include "pin/sweep.h"

#include "base/proc.h"
#include "pin/maps.h"
#include "pin/pin.h"

/*
 * Pins of memory that was given back where no preload sees it (free() of a
 * large block, a thread's stack) are found by and by: two pages are looked at
 * for each that is pinned, so that there are never more of these than of
 * others, and SWEEP_LEAST. Neighbours cost one read together.
 */
#define SWEEP_LEAST 128
#define SWEEP_MOST  2048 /* for one lookup */

/* What the dead left is looked for at one lookup of so many. */
#define SWEEP_DEAD 64

/* A shared page that is out of the page table only is not given back. */
static bool is_gone(uint64_t va, uint64_t entry)
{
	struct pin pin;

	if (entry & PAGEMAP_PRESENT)
		return !PAGEMAP_HIDDEN(entry);
	return store_next(va, &pin) && (!pin.shared || !maps_shared_length(va));
}

static bool sweep_row(int fd, const struct store_row *row)
{
	static uint64_t entries[512];
	uint64_t va = row->va;

	if (!maps_entries(fd, va, entries, row->pages))
		return false;
	for (size_t i = 0; i < row->pages; i++, va += PIN_PAGE_SIZE) {
		size_t same = store_differs(va, &entries[i], row->pages - i);

		i += same;
		va += same << PIN_PAGE_SHIFT;
		if (i < row->pages && is_gone(va, entries[i]))
			pin_release(va, UINT64_C(1) << row->shift, maps_stand);
	}
	return true;
}

/* From where the last one ended, once around at most. */
static void sweep_pins(size_t due)
{
	static uint64_t cursor;
	uint64_t start = cursor;
	bool around = false;
	int fd = proc_pagemap();
	struct store_row row;

	while (due) {
		if (store_next_row(cursor, due, &row)) {
			if ((around && row.va >= start) || !sweep_row(fd, &row))
				return;
			cursor = row.va + (row.pages << row.shift);
			due -= row.pinned;
		} else if (!around) {
			cursor = 0;
			around = true;
		} else {
			return;
		}
	}
}

void sweep(size_t pages)
{
	static unsigned int lookups;
	static size_t due;

	if (++lookups % SWEEP_DEAD == 0)
		pin_release_gone();
	due += 2 * pages;
	if (due < SWEEP_LEAST)
		return;
	sweep_pins(due < SWEEP_MOST ? due : SWEEP_MOST);
	due = 0;
}
