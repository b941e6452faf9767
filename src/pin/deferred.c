/* SPDX-License-Identifier: MIT */
#include "pin/deferred.h"

#include <errno.h>
#include <string.h>

#include "base/proc.h"
#include "base/process.h"
#include "base/slab.h"
#include "pin/maps.h"
#include "pin/store.h"

struct lookup {
	struct lookup *next;
	struct deferred told;
	enum deferred_fate fate;
};

static struct slab lookups = {.size = sizeof(struct lookup)};

/* A hash table, by the number of the page. */
#define BUCKETS 16384
static struct lookup *buckets[BUCKETS];
static size_t count, cursor;	/* all buckets before the cursor are empty */
static unsigned int generation; /* of the process that looked them up */
static bool told_natively;

_Atomic(bool) deferred_tells_unpinned;

void deferred_told_natively(void)
{
	deferred_tells_unpinned = told_natively = true;
}

/* The frame that the kernel shows at va; 0: none. */
static uint64_t frame_at(uint64_t va)
{
	uint64_t entry;

	return maps_entries(proc_pagemap(), va, &entry, 1) && entry & PAGEMAP_PRESENT
		       ? entry & PAGEMAP_PFN
		       : 0;
}

static size_t bucket_of(uint64_t va)
{
	return va >> PIN_PAGE_SHIFT & (BUCKETS - 1);
}

/* Calls what() for the lookups in [va, end). Forgets those for which it returns true. */
static void each(uint64_t va, uint64_t end, bool (*what)(struct lookup *, enum deferred_fate),
		 enum deferred_fate fate)
{
	uint64_t pages = (end - 1 - va) >> PIN_PAGE_SHIFT;

	for (size_t i = 0; count && i < BUCKETS && i <= pages; i++) {
		struct lookup **at = &buckets[bucket_of(va + (i << PIN_PAGE_SHIFT))];

		while (*at) {
			struct lookup *lookup = *at;

			if (lookup->told.va < va || lookup->told.va >= end || !what(lookup, fate)) {
				at = &lookup->next;
				continue;
			}
			*at = lookup->next;
			slab_free(&lookups, lookup);
			count--;
		}
	}
	deferred_tells_unpinned = count || told_natively;
}

static bool always(struct lookup *lookup, enum deferred_fate fate)
{
	(void)lookup;
	(void)fate;
	return true;
}

static bool met_it(struct lookup *lookup, enum deferred_fate fate)
{
	return lookup->fate == fate && frame_at(lookup->told.va) != lookup->told.pfn;
}

static bool set_fate(struct lookup *lookup, enum deferred_fate fate)
{
	lookup->fate = fate;
	return false;
}

static void keep(struct lookup *lookup)
{
	size_t bucket = bucket_of(lookup->told.va);

	lookup->next = buckets[bucket];
	buckets[bucket] = lookup;
	if (bucket < cursor)
		cursor = bucket;
}

void deferred_expect(uint64_t va, uint64_t len, enum deferred_fate fate)
{
	if (len)
		each(va, va + len, set_fate, fate);
}

void deferred_left(uint64_t va, uint64_t len)
{
	if (len)
		each(va, va + len, met_it, DEFERRED_LEAVES);
}

void deferred_drop(uint64_t va)
{
	each(va, va + 1, always, DEFERRED_STAYS);
}

/* Moved lookups change their bucket, so they are entered again after the loop. */
void deferred_moved(uint64_t from, uint64_t to, uint64_t len)
{
	struct lookup *moved = NULL;

	for (size_t i = 0; count && i < BUCKETS && i < len >> PIN_PAGE_SHIFT; i++) {
		struct lookup **at = &buckets[bucket_of(from + (i << PIN_PAGE_SHIFT))];

		while (*at) {
			struct lookup *lookup = *at;
			uint64_t va = lookup->told.va;

			if (va < from || va >= from + len ||
			    frame_at(va - from + to) != lookup->told.pfn) {
				at = &lookup->next;
				continue;
			}
			*at = lookup->next;
			lookup->told.va = va - from + to;
			lookup->fate = DEFERRED_STAYS;
			lookup->next = moved;
			moved = lookup;
		}
	}
	while (moved) {
		struct lookup *lookup = moved;

		moved = lookup->next;
		keep(lookup);
	}
	if (len)
		each(from, from + len, met_it, DEFERRED_MOVES);
}

void deferred_abandon(void)
{
	if (count)
		memset(buckets, 0, sizeof(buckets));
	count = 0;
}

void deferred_inherit(void)
{
	generation = process_generation();
}

/* Forgets what the parent looked up, because the child's memory is not the same. */
static void own(void)
{
	if (generation != process_generation())
		each(0, UINT64_MAX, always, DEFERRED_STAYS);
	generation = process_generation();
}

bool deferred_any(struct deferred *deferred)
{
	own();
	if (!count)
		return false;
	while (!buckets[cursor])
		cursor = (cursor + 1) % BUCKETS;
	*deferred = buckets[cursor]->told;
	return true;
}

static bool is_known(uint64_t va, uint64_t pfn)
{
	for (struct lookup *lookup = buckets[bucket_of(va)]; lookup; lookup = lookup->next)
		if (lookup->told.va == va && lookup->told.pfn == pfn)
			return true;
	return false;
}

static int add(uint64_t va, uint64_t entry)
{
	struct lookup *lookup;

	if (PAGEMAP_HIDDEN(entry))
		return -EBUSY;
	own();
	/* A lookup that is known keeps its fate: its page may be about to be unmapped. */
	if (is_known(va, entry & PAGEMAP_PFN))
		return 0;
	deferred_drop(va);
	lookup = slab_alloc(&lookups);
	if (!lookup)
		return -ENOMEM;
	lookup->told = (struct deferred){.va = va, .pfn = entry & PAGEMAP_PFN};
	lookup->fate = DEFERRED_STAYS;
	keep(lookup);
	count++;
	deferred_tells_unpinned = true;
	return 0;
}

int deferred_add(uint64_t va, const uint64_t *entries, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++, va += PIN_PAGE_SIZE)
		if (entries[i] & PAGEMAP_PRESENT)
			ret = add(va, entries[i]);
	return ret;
}
