/* SPDX-License-Identifier: MIT */
#include "pin/deferred.h"

#include <errno.h>

#include "base/proc.h"
#include "base/process.h"
#include "base/slab.h"
#include "pin/maps.h"
#include "pin/store.h"

struct lookup {
	struct lookup *next;
	struct deferred told;
};

static struct slab lookups = {.size = sizeof(struct lookup)};
static struct lookup *all;
static unsigned int generation; /* of the process that looked them up */
static bool told_natively;

_Atomic(bool) deferred_tells_unpinned;

void deferred_told_natively(void)
{
	deferred_tells_unpinned = told_natively = true;
}

/* The frame at va as the kernel has it, 0: none. */
static uint64_t frame_at(uint64_t va)
{
	uint64_t entry;

	return maps_entries(proc_pagemap(), va, &entry, 1) && entry & PAGEMAP_PRESENT
		       ? entry & PAGEMAP_PFN
		       : 0;
}

/* Forgets those in [va, end), or only those whose page is no longer there. */
static void forget(uint64_t va, uint64_t end, bool always)
{
	struct lookup **at = &all;

	while (*at) {
		struct lookup *lookup = *at;

		if (lookup->told.va >= va && lookup->told.va < end &&
		    (always || frame_at(lookup->told.va) != lookup->told.pfn)) {
			*at = lookup->next;
			slab_free(&lookups, lookup);
		} else {
			at = &lookup->next;
		}
	}
	deferred_tells_unpinned = all || told_natively;
}

void deferred_forget(uint64_t va, uint64_t len)
{
	forget(va, va + len, false);
}

void deferred_drop(uint64_t va)
{
	forget(va, va + 1, true);
}

void deferred_moved(uint64_t from, uint64_t to, uint64_t len)
{
	for (struct lookup *at = all; at; at = at->next)
		if (at->told.va >= from && at->told.va < from + len &&
		    frame_at(at->told.va - from + to) == at->told.pfn)
			at->told.va += to - from;
	deferred_forget(from, len);
}

void deferred_abandon(void)
{
	all = NULL;
}

/* A child's memory is not what its parent looked up. */
static void own(void)
{
	if (generation != process_generation())
		forget(0, UINT64_MAX, true);
	generation = process_generation();
}

bool deferred_any(struct deferred *deferred)
{
	own();
	if (all)
		*deferred = all->told;
	return all;
}

static int add(uint64_t va, uint64_t entry)
{
	struct lookup *lookup;

	if (PAGEMAP_HIDDEN(entry))
		return -EBUSY;
	own();
	deferred_drop(va);
	lookup = slab_alloc(&lookups);
	if (!lookup)
		return -ENOMEM;
	lookup->told = (struct deferred){.va = va, .pfn = entry & PAGEMAP_PFN};
	lookup->next = all;
	all = lookup;
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
