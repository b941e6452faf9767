/* SPDX-License-Identifier: MIT */
#include "pin/sweep.h"

#include "pin/maps.h"
#include "pin/mark.h"
#include "pin/pin.h"

/*
 * Two pages are examined for each page that is pinned. So the pages that are no longer at
 * their address never outnumber the others by more than SWEEP_LEAST. One read is enough
 * for neighbours.
 */
#define SWEEP_LEAST 128
#define SWEEP_MOST  2048 /* for one lookup */

/* One of so many lookups unpins what processes that are gone left pinned. */
#define SWEEP_DEAD 64

/* A shared page without an entry may still be mapped. */
static bool is_gone(uint64_t va, uint64_t entry)
{
	struct pin pin;

	if (entry & PAGEMAP_PRESENT)
		return !PAGEMAP_HIDDEN(entry);
	if (pagemap_is_moving(entry))
		return false;
	return store_next(va, &pin) && (!pin.shared || !maps_shared_length(va));
}

static bool sweep_row(const struct store_row *row)
{
	static uint64_t entries[512];
	uint64_t va = row->va;

	if (!maps_read(va, entries, row->pages, false))
		return false;
	for (size_t i = 0, run; i < row->pages; i += run, va += run << PIN_PAGE_SHIFT) {
		run = store_differs(va, &entries[i], row->pages - i);
		if (run)
			continue;
		for (; i + run < row->pages; run++)
			if (store_differs(va + (run << PIN_PAGE_SHIFT), &entries[i + run], 1) ||
			    !is_gone(va + (run << PIN_PAGE_SHIFT), entries[i + run]))
				break;
		if (run)
			pin_evict(va, run << row->shift);
		else
			run = 1;
	}
	return true;
}

/* Examines due pinned pages from *cursor on, each of them at most once. */
static void sweep_from(uint64_t *cursor, size_t due)
{
	uint64_t start = *cursor;
	bool around = false;
	struct store_row row;

	while (due) {
		if (store_next_row(*cursor, due, &row)) {
			if ((around && row.va >= start) || !sweep_row(&row))
				return;
			*cursor = row.va + (row.pages << row.shift);
			due -= row.pinned;
		} else if (!around) {
			*cursor = 0;
			around = true;
		} else {
			return;
		}
	}
}

void sweep(size_t pages)
{
	static unsigned int lookups;
	static uint64_t cursor;
	static size_t due;

	if (++lookups % SWEEP_DEAD == 0)
		pin_release_gone();
	due += 2 * pages;
	if (due >= SWEEP_LEAST) {
		sweep_from(&cursor, due < SWEEP_MOST ? due : SWEEP_MOST);
		due = 0;
	}
	if (mark_is_due(pages))
		mark();
}

bool sweep_all(void)
{
	uint64_t cursor = 0;
	size_t strays;

	sweep_from(&cursor, SIZE_MAX);
	strays = store_strays();
	return strays && mark() && store_strays() < strays;
}
