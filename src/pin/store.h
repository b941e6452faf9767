/* SPDX-License-Identifier: MIT */
/*
 * The store of what is pinned: a page table in the CPU's own shape, four
 * levels of 512 slots from virtual to physical, with 4 KiB pages in the leaves
 * and 2 MiB and 1 GiB pages above. A slot has the form of a pagemap entry, so
 * that comparing the kernel's entries with ours is one pass over two arrays.
 *
 * The slot for an address has the frame that was there when it was looked up.
 * It is current while the kernel's entry has the same one. A page that went from
 * its address unseen can be at another: its pin becomes a stray, which has a
 * slot, too, at an address above those of programs. sweep.c finds out where the
 * page is, or that it is nowhere any more.
 *
 * The store lives in memory that fork() wipes: a child starts with no pins.
 *
 * Addresses and lengths are in bytes. Functions return 0 or a negative errno
 * and need the lock, but for store_current(), store_ask() and store_any():
 * leaves that are given back become leaves again and nothing else, so a
 * reader that comes late sees a wrong entry and never wrong memory.
 */
#ifndef PIN_STORE_H
#define PIN_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIN_PAGE_SHIFT 12
#define PIN_PAGE_SIZE  (UINT64_C(1) << PIN_PAGE_SHIFT)
#define PIN_PMD_SHIFT  21
#define PIN_PUD_SHIFT  30

/* Higher addresses, which a program gets only by asking, cannot be pinned. */
#define PIN_VA_LIMIT (UINT64_C(1) << 48)

/* Where strays are, and the end of all that has slots. */
#define STORE_STRAYS PIN_VA_LIMIT
#define STORE_LIMIT  (UINT64_C(1) << 49)

/* Strays end before the last GiB, where pages are probed and the backend has its claim. */
#define STRAYS_END   (STORE_LIMIT - (UINT64_C(1) << PIN_PUD_SHIFT))
#define STORE_PROBED (STORE_LIMIT - (UINT64_C(2) << PIN_PMD_SHIFT))

/* Of a pagemap entry: Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PFN	  (UINT64_C(0x7fffffffffffff))
#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56)
#define PAGEMAP_FILE	  (UINT64_C(1) << 61)
#define PAGEMAP_SWAPPED	  (UINT64_C(1) << 62)
#define PAGEMAP_PRESENT	  (UINT64_C(1) << 63)

/* The process may not see frames. */
#define PAGEMAP_HIDDEN(entry) (!((entry)&PAGEMAP_PFN))

/*
 * An entry of a page that the kernel is moving at this moment, or tries to: it
 * has a migration entry, which is a swap type above those of swap files. Which ones
 * these are depends on the kernel's configuration. The others can be here as well:
 * a poisoned page and the memory of a device, which stay so and name a frame, too.
 * The last type is that of markers, where no page is (include/linux/swap.h).
 */
static inline bool pagemap_is_moving(uint64_t entry)
{
	return (entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) == PAGEMAP_SWAPPED &&
	       (entry & 31) >= 24 && (entry & 31) < 31;
}

/*
 * How many of the n pagemap entries for the pages from va on need nothing
 * done, counted from the first: of no memory, or naming a page that is pinned.
 */
size_t store_current(uint64_t va, const uint64_t *entries, size_t n);

/*
 * The same of a lookup of them, which asks for what was only pinned ahead. Needs no lock,
 * either.
 */
size_t store_ask(uint64_t va, const uint64_t *entries, size_t n);

/* The store, which is there from the first pin on. */
extern struct store *_Atomic store_own __attribute__((visibility("hidden")));

/* True when something in the range is pinned. */
bool store_any_slot(uint64_t va, uint64_t len);
static inline bool store_any(uint64_t va, uint64_t len)
{
	return __builtin_expect(store_own != NULL, 0) && store_any_slot(va, len);
}

/* How many of the n small pages from va on come before the first that is pinned. */
size_t store_vacant(uint64_t va, size_t n);

/* How many separate pins there are. */
size_t store_count(void);

/* The frame number of the pinned page at va, or 0. */
uint64_t store_pfn(uint64_t va);

/* The same of a page that is asked for: it is not only pinned ahead any more. */
uint64_t store_asked(uint64_t va);

/*
 * From now on only the n small pages from va on can be pinned ahead: they are one window,
 * which does not cross a border of 2 MiB.
 */
void store_set_ahead(uint64_t va, size_t n);

/* The first that is still not asked for, from va on, and its neighbours up to *end; or 0. */
uint64_t store_next_ahead(uint64_t va, uint64_t *end);

/* How many of them, counted from va on, were asked for since. */
size_t store_asked_ahead(uint64_t va);

/* The n pages from va on, which are pinned and of one table, are being given back, or are not. */
void store_set_leaving(uint64_t va, size_t n, bool leaving);

/* Small pages that strays hold. */
size_t store_strays(void);

/*
 * One pin: what one map of the IOAS covers. store_next() finds the first that
 * ends after from; a stray only from STORE_STRAYS on.
 */
struct pin {
	uint64_t va;
	uint64_t len;
	unsigned int shift;
	bool shared;
};
bool store_next(uint64_t from, struct pin *pin);

/*
 * Pinned pages that one read of pagemap shows: the first that ends after from,
 * and those that follow it, most together. Between them can be a few that are
 * not pinned. A huge page stands alone, for its first entry.
 */
struct store_row {
	uint64_t va;
	unsigned int shift;
	size_t pages; /* entries to read from va on: at most 512 */
	size_t pinned;
};
bool store_next_row(uint64_t from, size_t most, struct store_row *row);

/*
 * The first of n entries of a row, or of its end, that does not name the frame
 * that is pinned there; n: all do.
 */
size_t store_differs(uint64_t va, const uint64_t *entries, size_t n);

/* Bytes of the store itself. */
size_t store_size(void);

/* ---- for pin.c, which fills it ---- */

#define SLOTS 512
#define TOP   3 /* level of the root; a leaf is level 0 */

/*
 * A slot is 0, or PRESENT with a frame number and these flags, or the address
 * of a table with the number of its slots in use in the low bits.
 */
#define SLOT_HEAD   (UINT64_C(1) << 62) /* first page of a map of the IOAS */
#define SLOT_SHARED PAGEMAP_FILE

/* The page is being given back by a call: see follow_stand(). */
#define SLOT_LEAVING (UINT64_C(1) << 57)

/*
 * Pinned before it was asked for. As a part of the frame number, which is never so
 * large, it makes the slot differ from every entry: a lookup of it is noticed, and
 * takes the flag away, without the lock. Whoever releases such a page has to see
 * whether that came first.
 */
#define SLOT_AHEAD (UINT64_C(1) << 54)

typedef _Atomic(uint64_t) slot_t;

struct store {
	slot_t root[STORE_LIMIT >> (PIN_PAGE_SHIFT + 9 * TOP)];
	_Atomic(uint64_t) low, high; /* all pins lie between, and all there ever were */
	_Atomic(size_t) count;
	uint64_t window; /* IOVA of virtual address 0; 0: none claimed yet */
	unsigned int generation;
	uint64_t strays_end; /* the next one's address */
	size_t strays;
	uint64_t ahead, ahead_end; /* what is pinned ahead lies between */
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
 * The deepest slot for va: a page, or an empty one. *level is its level; what
 * an empty slot covers holds no pin at all.
 */
slot_t *store_find(struct store *s, uint64_t va, unsigned int *level);

/* The pinned page at va, asked for or not, or the stray, as a pagemap entry has it; 0: there is
 * none. */
uint64_t store_page(uint64_t va);

/* The store, made at the first call. NULL: no memory. */
struct store *store_get(void);

/*
 * Puts n pages from va on, of one table, into their slots, with the tables above them that
 * are not there yet. After an error none is there.
 */
int store_fill(struct store *s, uint64_t va, unsigned int level, const uint64_t *pages, size_t n);

/*
 * Empties the slots of n pages from va on, of one table, and gives a leaf back that has
 * no other. Tables above the leaves stay: there is one to a GiB, and readers may be on
 * their way through.
 */
void store_empty(struct store *s, uint64_t va, unsigned int level, size_t n);

/* Counts pins that came or went. */
void store_tally(struct store *s, int change);

/* [start, end) is to hold a pin. */
void store_stretch(struct store *s, uint64_t start, uint64_t end);

#endif
