/* SPDX-License-Identifier: MIT */
/*
 * "Deferred": a lookup that was answered while no page table exists, because other
 * processes use all devices. Its page is not pinned. The library keeps the address and
 * the frame, to pin and compare the page when there is a page table. Needs the lock.
 */
#ifndef PIN_DEFERRED_H
#define PIN_DEFERRED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deferred {
	uint64_t va;
	uint64_t pfn;
};

/*
 * Keeps a lookup for each present page of the n entries from va on. -EBUSY: the process
 * may not see frames.
 */
int deferred_add(uint64_t va, const uint64_t *entries, size_t n);

/* Sets *deferred to one of the lookups. False: there is none. */
bool deferred_any(struct deferred *deferred);

/* Forgets the lookup of the page at va. */
void deferred_drop(uint64_t va);

/*
 * A call is about to unmap, discard or move [va, va + len). As with pins, only lookups
 * made before the call are affected: between the call and the functions below, another
 * thread can map memory at this address, look it up, and move it.
 */
enum deferred_fate {
	DEFERRED_STAYS,
	DEFERRED_LEAVES,
	DEFERRED_MOVES,
};
void deferred_expect(uint64_t va, uint64_t len, enum deferred_fate fate);

/*
 * The call has removed the memory, or moved it. The lookups there are forgotten, or get
 * the new address. A lookup whose page is still in its place stays.
 */
void deferred_left(uint64_t va, uint64_t len);
void deferred_moved(uint64_t from, uint64_t to, uint64_t len);

/* In a child that replaces its parent: the parent's lookups become the child's. */
void deferred_inherit(void);

/* Forgets all lookups without freeing them, for they may be damaged. */
void deferred_abandon(void);

/*
 * True when the program has read addresses of pages that are not pinned: deferred ones,
 * or in a trace any on the group path. Needs no lock.
 */
extern _Atomic(bool) deferred_tells_unpinned __attribute__((visibility("hidden")));

/* The group path is taken, and a trace follows the addresses that the program reads. */
void deferred_told_natively(void);

#endif
