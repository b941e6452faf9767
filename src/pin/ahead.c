/* SPDX-License-Identifier: MIT */
#include "pin/ahead.h"

#include "base/proc.h"
#include "pin/maps.h"
#include "pin/pin.h"
#include "pin/sweep.h"

#define AHEAD_MOST SLOTS

/* After so many lookups at other addresses, the driver is not expected to go on. */
#define AHEAD_OTHERS 64

/*
 * When nothing could be pinned ahead, the next attempt is made after as many pages as
 * were asked for so far, but at most after so many.
 */
#define AHEAD_PAUSE 32

static struct {
	uint64_t next; /* the end of the last page that was asked for */
	size_t asked;
	size_t again;	     /* no attempt before so many pages were asked for */
	unsigned int others; /* lookups since then at other addresses */
} sequence;

/* As pin_stands. A lookup without the lock can ask for a page at this moment: it then stands. */
static bool was_asked(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n)
{
	(void)va, (void)shift;
	while (n--)
		if (!(pages[n] & SLOT_AHEAD))
			return true;
	return false;
}

bool ahead_release(void)
{
	uint64_t va = 0, end;
	bool any = false;

	for (; (va = store_next_ahead(va, &end)); va = end) {
		pin_release(va, end - va, was_asked);
		any = true;
	}
	return any;
}

/*
 * How many leading pages can be pinned ahead without harm: they are present, not pinned and
 * not guarded by userfaultfd, and pinning would not copy them.
 */
static size_t suitable(uint64_t va, const uint64_t *entries, size_t n, uint64_t shared)
{
	size_t i = 0;

	for (; i < n && entries[i] & PAGEMAP_PRESENT && !store_pfn(va); i++, va += PIN_PAGE_SIZE)
		if (entries[i] & PAGEMAP_GUARDED ||
		    (entries[i] & PAGEMAP_FILE ? !shared : !(entries[i] & PAGEMAP_EXCLUSIVE)))
			break;
	return i;
}

/* Pins at most n pages ahead from va on, in the mapping of the page before. False: none. */
static bool pin_ahead(uint64_t va, size_t n)
{
	static uint64_t entries[AHEAD_MOST];
	int fd = proc_pagemap();
	uint64_t left, shared;

	/* Pages of another sequence: this one has asked for all of its own. */
	ahead_release();
	if (store_next_ahead(0, &left))
		return false;
	/*
	 * Many drivers touch each page just before they look it up. Then no page ahead is
	 * present.
	 */
	if (!maps_entries(fd, va, entries, 1) || !(entries[0] & PAGEMAP_PRESENT))
		return false;
	left = maps_length(va - PIN_PAGE_SIZE) >> PIN_PAGE_SHIFT;
	left -= left > 0;
	if (n > left)
		n = left;
	left = SLOTS - (va >> PIN_PAGE_SHIFT) % SLOTS;
	if (n > left)
		n = left;
	if (!n || maps_page_shift(va, *entries) != PIN_PAGE_SHIFT ||
	    !maps_entries(fd, va, entries, n))
		return false;
	shared = maps_shared_length(va);
	n = suitable(va, entries, n, shared);
	if (!n)
		return false;
	store_set_ahead(va, n);
	if (pin_add_ahead(va, n << PIN_PAGE_SHIFT, shared)) {
		ahead_release();
		return false;
	}
	/* Lookups of these pages take no lock, and therefore do not sweep. */
	sweep(n);
	return true;
}

/*
 * Lookups of pages that were pinned ahead do not call ahead_follow(). The store knows how
 * many there were.
 */
static void catch_up(void)
{
	size_t n = store_asked_ahead(sequence.next);

	if (!n)
		return;
	sequence.next += n << PIN_PAGE_SHIFT;
	sequence.asked += n;
	sequence.others = 0;
}

void ahead_follow(uint64_t va, size_t n)
{
	bool goes_on;

	catch_up();
	goes_on = va == sequence.next;
	sequence.others = goes_on ? 0 : sequence.others + 1;
	sequence.asked = goes_on ? sequence.asked + n : n;
	sequence.again = goes_on ? sequence.again : 0;
	sequence.next = va + (n << PIN_PAGE_SHIFT);
	if (sequence.others % AHEAD_OTHERS == AHEAD_OTHERS - 1)
		ahead_release();
	if (!goes_on || sequence.asked < sequence.again || !store_pfn(va) ||
	    store_pfn(sequence.next))
		return;
	if (!pin_ahead(sequence.next, sequence.asked))
		sequence.again = sequence.asked +
				 (sequence.asked < AHEAD_PAUSE ? sequence.asked : AHEAD_PAUSE);
}
