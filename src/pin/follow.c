/* SPDX-License-Identifier: MIT */
#include "pin/follow.h"

#include <string.h>

#include "pin/maps.h"
#include "pin/pin.h"

/* How a slot compares with the kernel's entry for the same address. */
enum fit {
	FIT_NONE,    /* nothing is pinned there */
	FIT_CURRENT, /* the entry names the pinned page */
	FIT_ABSENT,  /* the entry shows no frame, and the page is shared or migrating */
	FIT_OTHER,
};

static inline enum fit fit(uint64_t page, uint64_t entry)
{
	if (!page)
		return FIT_NONE;
	if (entry & PAGEMAP_PRESENT && !PAGEMAP_HIDDEN(entry))
		return (entry ^ page) & PAGEMAP_PFN & ~SLOT_AHEAD ? FIT_OTHER : FIT_CURRENT;
	return page & SLOT_SHARED || pagemap_is_moving(entry) ? FIT_ABSENT : FIT_OTHER;
}

/* How many of the n pages from va on compare like the first one. *first says how. */
static size_t run_of(uint64_t va, const uint64_t *entries, size_t n, enum fit *first)
{
	unsigned int level;
	slot_t *slot = store_find(store_own, va, &level);
	size_t i = 1;

	*first = fit(slot_load(slot), entries[0]);
	/* A huge page has one slot. A leaf can also be gone by now. */
	if (level)
		n = 1;
	while (i < n && fit(slot_load(slot + i), entries[i]) == *first &&
	       !((entries[i] ^ entries[0]) & (PAGEMAP_FILE | PAGEMAP_EXCLUSIVE)))
		i++;
	return i;
}

/*
 * The kernel's entries of a row, or of the same pages at another address. All are 0 when
 * they cannot be read.
 */
static void entries_of(uint64_t va, uint64_t *entries, size_t n)
{
	if (!maps_read(va, entries, n, false))
		memset(entries, 0, n * sizeof(*entries));
}

/* Calls what() for each run of pinned pages in the range that compare alike. */
typedef void take_run(uint64_t va, size_t n, unsigned int shift, enum fit fit, uint64_t entry,
		      void *arg);

static void each_run(uint64_t va, uint64_t len, take_run *what, void *arg)
{
	static uint64_t entries[512];
	uint64_t end = va + len;
	struct store_row row;

	for (; va < end && store_next_row(va, 512, &row) && row.va < end;
	     va = row.va + (row.pages << row.shift)) {
		size_t n = row.pages, run;

		if (row.va < va || (end - row.va) >> row.shift == 0)
			continue; /* a part of a huge page cannot be unmapped */
		if (n > (end - row.va) >> row.shift)
			n = (end - row.va) >> row.shift;
		entries_of(row.va, entries, n);
		for (size_t i = 0; i < n; i += run) {
			uint64_t at = row.va + (i << row.shift);
			enum fit fit;

			run = run_of(at, entries + i, n - i, &fit);
			if (fit != FIT_NONE)
				what(at, run, row.shift, fit, entries[i], arg);
		}
	}
}

/* *leaving: the call removes the pages. Otherwise it changes or moves them. */
static void keep_only_current(uint64_t va, size_t n, unsigned int shift, enum fit fit,
			      uint64_t entry, void *arg)
{
	const bool *leaving = arg;

	(void)entry;
	if (fit == FIT_OTHER)
		pin_evict(va, n << shift);
	else
		store_set_leaving(va, n, *leaving);
}

void follow_leaving(uint64_t va, uint64_t len)
{
	bool leaving = true;

	each_run(va, len, keep_only_current, &leaving);
}

void follow_staying(uint64_t va, uint64_t len)
{
	bool leaving = false;

	each_run(va, len, keep_only_current, &leaving);
}

bool follow_stand(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(pages[i] & SLOT_LEAVING))
			return true;
	return maps_stand(va, shift, pages, n);
}

/*
 * Before the call the pinned pages were at their addresses. A shared page still exists in
 * its file; a private one is gone.
 */
static void release_gone(uint64_t va, size_t n, unsigned int shift, enum fit fit, uint64_t entry,
			 void *arg)
{
	(void)entry;
	(void)arg;
	if (fit != FIT_OTHER)
		return;
	if (store_page(va) & SLOT_SHARED)
		pin_evict(va, n << shift);
	else
		pin_release(va, n << shift, NULL);
}

void follow_discarded(uint64_t va, uint64_t len)
{
	each_run(va, len, release_gone, NULL);
}

/*
 * True when the pages at alias are those that are pinned at va. *n is reduced to the
 * pages for which the result holds.
 */
static bool is_alias(uint64_t va, uint64_t alias, size_t *n, unsigned int shift, bool private)
{
	static uint64_t entries[512];
	size_t i = 0;
	bool same = false;

	entries_of(alias, entries, shift == PIN_PAGE_SHIFT ? *n : 1);
	for (; i < *n; i++) {
		uint64_t page = store_page(va + (i << shift));
		bool now = entries[i] & PAGEMAP_PRESENT ? !((entries[i] ^ page) & PAGEMAP_PFN) ||
								  PAGEMAP_HIDDEN(entries[i])
							: !private;

		if (i && now != same)
			break;
		same = now;
	}
	*n = i;
	return same;
}

/* Pins the pages at va for another mapping of them. False when the first *n pages have none. */
static bool keep_alias(uint64_t va, size_t *n, unsigned int shift, bool private,
		       struct maps_leaving *leaving)
{
	struct maps_search search = {.private = private};
	uint64_t len = *n << shift, alias;

	while (maps_next_alias(va, &len, leaving, &search, &alias)) {
		*n = len >> shift;
		if (is_alias(va, alias, n, shift, private))
			return !pin_copy(va, *n << shift, alias);
		len = *n << shift;
	}
	*n = len >> shift;
	return false;
}

struct unmapping {
	struct maps_leaving leaving;
	const struct maps_file *over;
};

/*
 * The address at which what is mapped over these pages will show them, or 0. *n is
 * reduced to the pages for which the result holds.
 */
static uint64_t again_at(uint64_t va, size_t *n, unsigned int shift, const struct maps_file *over)
{
	uint64_t len = *n << shift;
	uint64_t at = over ? maps_shown_at(over, va, &len) : 0;

	*n = len >> shift;
	return at;
}

static void keep_aliases(uint64_t va, size_t n, unsigned int shift, enum fit fit, uint64_t entry,
			 void *arg)
{
	struct unmapping *unmapping = arg;
	struct maps_leaving *leaving = &unmapping->leaving;
	uint64_t again;
	size_t run;

	if (fit == FIT_OTHER) {
		pin_evict(va, n << shift);
		return;
	}
	store_set_leaving(va, n, true);
	if (fit == FIT_CURRENT && !(entry & PAGEMAP_FILE))
		return; /* a private page is mapped once in a process */
	for (; n; n -= run, va += run << shift) {
		run = n;
		again = again_at(va, &run, shift, unmapping->over);
		if (again == va) {
			store_set_leaving(va, run, false);
			continue;
		}
		if (again && !pin_copy(va, run << shift, again))
			continue;
		if (keep_alias(va, &run, shift, false, leaving))
			continue;
		if (!(entry & PAGEMAP_EXCLUSIVE) && keep_alias(va, &run, shift, true, leaving))
			continue;
		if (again || fit == FIT_ABSENT)
			pin_evict(va, run << shift);
	}
}

/*
 * Pages that move within the range must not reach addresses that are still to be handled.
 * So each step handles as many bytes as the pages move by, and the steps begin at the end
 * to which they move.
 */
void follow_unmapping(uint64_t va, uint64_t len, const struct maps_file *over)
{
	struct unmapping unmapping = {{.from = va, .to = va + len, .last = UINT64_MAX}, over};
	int64_t shift = over ? maps_shift(over) : 0;
	uint64_t part = (uint64_t)(shift < 0 ? -shift : shift);

	if (!part || part > len)
		part = len;
	for (uint64_t done = 0; done < len; done += part) {
		if (part > len - done)
			part = len - done;
		each_run(shift > 0 ? va + len - done - part : va + done, part, keep_aliases,
			 &unmapping);
	}
}

struct move {
	uint64_t from, to;
};

/*
 * Another thread can have mapped memory at the old address meanwhile, and looked it up.
 * Its pins stay.
 */
static void take_along(uint64_t va, size_t n, unsigned int shift, enum fit fit, uint64_t entry,
		       void *arg)
{
	const struct move *move = arg;
	uint64_t to = va - move->from + move->to;
	size_t run;

	(void)entry;
	for (; n; n -= run, va += run << shift, to += run << shift) {
		run = n;
		if (is_alias(va, to, &run, shift, fit == FIT_CURRENT)) {
			if (!pin_copy(va, run << shift, to))
				pin_release(va, run << shift, maps_stand);
		} else if (fit != FIT_CURRENT) {
			pin_evict(va, run << shift);
		}
	}
}

void follow_moved(uint64_t from, uint64_t to, uint64_t len)
{
	struct move move = {from, to};

	each_run(from, len, take_along, &move);
}
