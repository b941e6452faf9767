/* SPDX-License-Identifier: MIT */
#include "pin/renew.h"

#include "backend/backend.h"
#include "base/proc.h"
#include "pin/maps.h"

static bool are_there(uint64_t va, size_t n)
{
	static uint64_t entries[SLOTS];

	return maps_entries(proc_pagemap(), va, entries, n) && store_differs(va, entries, n) == n;
}

/* True when the frames mapped at iova are those pinned at va. */
static bool is_same(uint64_t iova, uint64_t va, uint64_t len)
{
	uint64_t run, pa;

	for (uint64_t at = 0; at < len; at += run) {
		run = len - at;
		if (backend->physical(iova + at, &run, &pa))
			return false;
		for (uint64_t i = 0; i < run; i += PIN_PAGE_SIZE)
			if ((store_page(va + at + i) & PAGEMAP_PFN) != (pa + i) >> PIN_PAGE_SHIFT)
				return false;
	}
	return true;
}

void renew_rest(struct store *s, uint64_t va, uint64_t len)
{
	uint64_t iova = s->window + STORE_PROBED;

	if (!backend->parts_hold_all || va >= STORE_STRAYS ||
	    !are_there(va, len >> PIN_PAGE_SHIFT) || backend->map(va, len, iova))
		return;
	/* The unmap frees the memory that the copy needs. */
	if (is_same(iova, va, len) && !backend->unmap(s->window + va, len))
		backend->copy(iova, len, s->window + va);
	backend->unmap(iova, len);
}
