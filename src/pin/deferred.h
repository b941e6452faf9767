/* SPDX-License-Identifier: MIT */
/*
 * Lookups that were answered while no page table exists: all devices are in use
 * by others, and none of them is ours yet. What was looked up is kept, to be
 * pinned and compared when there is a page table. Needs the lock.
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

/* Keeps those of the n entries for the pages from va on that name a frame. */
int deferred_add(uint64_t va, const uint64_t *entries, size_t n);

/* One of them, or false. */
bool deferred_any(struct deferred *deferred);

/* Forgets the one at va. */
void deferred_drop(uint64_t va);

/*
 * [va, va + len) is about to be given back, or to move. As with pins, only what was
 * looked up before the call does: another thread can have got memory at this address
 * before the call is noted, looked it up, and moved it.
 */
enum deferred_fate {
	DEFERRED_STAYS,
	DEFERRED_LEAVES,
	DEFERRED_MOVES,
};
void deferred_expect(uint64_t va, uint64_t len, enum deferred_fate fate);

/*
 * It was given back, or went to to: what was looked up there no longer matters, or is
 * there now. A page that is still in its place stays.
 */
void deferred_left(uint64_t va, uint64_t len);
void deferred_moved(uint64_t from, uint64_t to, uint64_t len);

/*
 * In a child that goes on where its parent ends: what was looked up there is its own
 * to settle.
 */
void deferred_inherit(void);

/* All are forgotten, for they may be damaged. */
void deferred_abandon(void);

/* Addresses were told that no pin stands for: here, or natively. Needs no lock. */
extern _Atomic(bool) deferred_tells_unpinned __attribute__((visibility("hidden")));

/* The group path is taken, and a trace follows what is told there. */
void deferred_told_natively(void);

#endif
