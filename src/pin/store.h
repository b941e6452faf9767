/* SPDX-License-Identifier: MIT */
/*
 * The "store" has all pins of the process. It is a page table in the format of x86-64's:
 * four levels of 512 slots, from virtual to physical addresses, with base pages in the
 * leaves and huge pages above them: of 2 MiB and 1 GiB, if a base page has 4 KiB. Huge
 * pages of other sizes, which arm64 has, are pinned by their base pages.
 *
 * A "slot" is an entry of that table. It has the form of a pagemap entry, so that
 * comparing the kernel's entries with it is one pass over two arrays. It has the frame
 * that was at its address at the last lookup, and is current while the kernel's entry has
 * the same frame.
 *
 * A "stray" is a pin whose page left its address unseen, and may be at another. A stray
 * has a slot at an address above those of programs. pin/sweep.h finds such pins;
 * pin/mark.h finds out where their pages are.
 *
 * The store is in memory that fork() wipes: a child starts with no pins.
 *
 * Addresses and lengths are in bytes. Functions return 0 or a negative errno and need the
 * lock, except store_current(), store_ask(), store_any() and store_count(). A freed leaf
 * is only reused as a leaf, so a late reader without the lock sees a wrong entry, but
 * never foreign memory.
 */
#ifndef PIN_STORE_H
#define PIN_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/page.h"

#define PIN_PAGE_SHIFT page_shift()
#define PIN_PAGE_SIZE  page_size()
#define PIN_PMD_SHIFT  (PIN_PAGE_SHIFT + 9)
#define PIN_PUD_SHIFT  (PIN_PAGE_SHIFT + 18)

/* Higher addresses cannot be pinned. A program only gets one if it asks for it. */
#define PIN_VA_LIMIT (UINT64_C(1) << 48)

/* The address of the first stray, and the end of all addresses that have slots. */
#define STORE_STRAYS PIN_VA_LIMIT
#define STORE_LIMIT  (UINT64_C(1) << 49)

/*
 * Strays end before the last huge page of the larger size. It has the backend's claim, and
 * STORE_PROBED, where pages are pinned for a moment.
 */
#define STRAYS_END   (STORE_LIMIT - (UINT64_C(1) << PIN_PUD_SHIFT))
#define STORE_PROBED (STORE_LIMIT - (UINT64_C(2) << PIN_PMD_SHIFT))

/* Fields of a pagemap entry: Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PFN	  (UINT64_C(0x7fffffffffffff))
#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56)
#define PAGEMAP_GUARDED	  (UINT64_C(1) << 57) /* by userfaultfd, from writes or also from reads */
#define PAGEMAP_FILE	  (UINT64_C(1) << 61)
#define PAGEMAP_SWAPPED	  (UINT64_C(1) << 62)
#define PAGEMAP_PRESENT	  (UINT64_C(1) << 63)

/* True when the process may not see frames. */
#define PAGEMAP_HIDDEN(entry) (!((entry)&PAGEMAP_PFN))

/*
 * True for the entry of a page that the kernel is migrating now, or tries to. A migration
 * entry has a swap type above those of swap files. Which types these are depends on the
 * kernel's configuration. So this is also true for poisoned pages and device memory,
 * whose entries stay as they are and name a frame, too. The last type is that of markers,
 * which have no page (include/linux/swap.h).
 */
static inline bool pagemap_is_moving(uint64_t entry)
{
	return (entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) == PAGEMAP_SWAPPED &&
	       (entry & 31) >= 24 && (entry & 31) < 31;
}

/*
 * How many of the n entries for the pages from va on, counted from the first, need no
 * action: there is no page, or the entry names the pinned page.
 */
size_t store_current(uint64_t va, const uint64_t *entries, size_t n);

/*
 * The same for a lookup: pages that were pinned ahead (pin/ahead.h) become ordinary pins.
 * Needs no lock.
 */
size_t store_ask(uint64_t va, const uint64_t *entries, size_t n);

/* The store; NULL before the first pin. */
extern struct store *_Atomic store_own __attribute__((visibility("hidden")));

/* True when anything in the range is pinned. */
bool store_any_slot(uint64_t va, uint64_t len);
static inline bool store_any(uint64_t va, uint64_t len)
{
	return __builtin_expect(store_own != NULL, 0) && store_any_slot(va, len);
}

/* How many of the n base pages from va on come before the first pinned one. */
size_t store_vacant(uint64_t va, size_t n);

/* The number of separate pins. */
size_t store_count(void);

/* The frame number of the pinned page at va, or 0. */
uint64_t store_pfn(uint64_t va);

/* The same for a lookup: a page that was pinned ahead becomes an ordinary pin. */
uint64_t store_asked(uint64_t va);

/*
 * From now on only the n base pages from va on can be pinned ahead. They do not cross the
 * border of a leaf.
 */
void store_set_ahead(uint64_t va, size_t n);

/*
 * The first page from va on that is still pinned ahead, or 0. *end is the end of the
 * pages next to it that are, too.
 */
uint64_t store_next_ahead(uint64_t va, uint64_t *end);

/* How many of the pages pinned ahead, counted from va on, lookups have asked for since. */
size_t store_asked_ahead(uint64_t va);

/* Sets or clears SLOT_LEAVING for n pinned pages from va on, all in one table. */
void store_set_leaving(uint64_t va, size_t n, bool leaving);

/* The number of small pages in strays. */
size_t store_strays(void);

/*
 * One pin: the memory of one map (backend/backend.h). store_next() finds the first pin
 * that ends after from. It finds strays only if from is at least STORE_STRAYS.
 */
struct pin {
	uint64_t va;
	uint64_t len;
	unsigned int shift;
	bool shared;
};
bool store_next(uint64_t from, struct pin *pin);

/*
 * Pinned pages whose entries one read of pagemap gets: the first page that ends after
 * from, and those that follow it, up to most. A few pages between them may not be pinned.
 * A huge page is a row of its own; only its first entry is read.
 */
struct store_row {
	uint64_t va;
	unsigned int shift;
	size_t pages; /* entries to read from va on; at most 512 */
	size_t pinned;
};
bool store_next_row(uint64_t from, size_t most, struct store_row *row);

/*
 * The index of the first entry that does not name the frame pinned there, or n. The n
 * entries are those of a row or of the end of one.
 */
size_t store_differs(uint64_t va, const uint64_t *entries, size_t n);

/* The memory of the store itself, in bytes. */
size_t store_size(void);

/* ---- for pin.c, which fills the store ---- */

#define SLOTS 512
#define TOP   3 /* level of the root; a leaf is level 0 */

/*
 * A slot is 0, or PRESENT with a frame number and these flags, or the address of a table.
 * The low bits of such an address are the number of slots in use in the table.
 */
#define SLOT_HEAD   (UINT64_C(1) << 62) /* first page of a map */
#define SLOT_SHARED PAGEMAP_FILE

/* A call is about to unmap or discard the page: see follow_stand(). */
#define SLOT_LEAVING (UINT64_C(1) << 57)

/*
 * The page was pinned ahead. The flag is the highest bit of the frame number, which no
 * frame has, so that the slot differs from every entry. A lookup of the page therefore
 * notices it, and clears the flag without the lock. Whoever unpins such a page has to
 * check whether a lookup came first.
 */
#define SLOT_AHEAD (UINT64_C(1) << 54)

typedef _Atomic(uint64_t) slot_t;

struct store {
	slot_t root[STORE_LIMIT >> (PAGE_LEAST_SHIFT + 9 * TOP)];
	_Atomic(uint64_t) low, high; /* all pins but strays, present and past, are between */
	_Atomic(size_t) count;
	uint64_t window; /* IOVA of virtual address 0; 0: none claimed yet */
	unsigned int generation;
	uint64_t strays_end; /* address of the next stray */
	size_t strays;
	uint64_t ahead, ahead_end; /* pages pinned ahead are between */
	size_t size;
	char *arena, *arena_end;
	void *free_leaves;
	void *free_tables;
};

static inline uint64_t slot_load(slot_t *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}

static inline void slot_put(slot_t *slot, uint64_t value)
{
	atomic_store_explicit(slot, value, memory_order_release);
}

static inline void slot_set(slot_t *slot, uint64_t flags)
{
	atomic_fetch_or(slot, flags);
}

static inline void slot_unset(slot_t *slot, uint64_t flags)
{
	atomic_fetch_and(slot, ~flags);
}

static inline bool is_page(uint64_t value)
{
	return value & PAGEMAP_PRESENT;
}

static inline unsigned int shift_of(unsigned int level)
{
	return PIN_PAGE_SHIFT + 9 * level;
}

static inline uint64_t size_of(unsigned int level)
{
	return UINT64_C(1) << shift_of(level);
}

/*
 * The deepest slot for va: that of a page, or an empty one. *level is its level. Nothing
 * is pinned in the range of an empty slot.
 */
slot_t *store_find(struct store *s, uint64_t va, unsigned int *level);

/*
 * The pinned page or stray at va as a pagemap entry, also one that is pinned ahead; 0:
 * there is none.
 */
uint64_t store_page(uint64_t va);

/* The store; the first call creates it. NULL: no memory. */
struct store *store_get(void);

/*
 * Puts n pages from va on, all in one table, into their slots, and adds missing tables
 * above them. After an error all slots are unchanged.
 */
int store_fill(struct store *s, uint64_t va, unsigned int level, const uint64_t *pages, size_t n);

/*
 * Empties the slots of n pages from va on, all in one table, and frees a leaf that
 * becomes empty. Tables above the leaves stay, as readers may be using them; there is one
 * for 512 leaves.
 */
void store_empty(struct store *s, uint64_t va, unsigned int level, size_t n);

/* Adds change to the number of pins. */
void store_tally(struct store *s, int change);

/* [start, end) is about to be pinned: widens low and high. */
void store_stretch(struct store *s, uint64_t start, uint64_t end);

#endif
