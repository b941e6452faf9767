/* SPDX-License-Identifier: MIT */
/*
 * Which memory of this process is pinned, and where it is.
 *
 * The store is a page table in the CPU's own shape: four levels of 512 slots
 * from virtual to physical, with 4 KiB pages in the leaves and 2 MiB and 1 GiB
 * pages above. A slot has the form of a pagemap entry, so that comparing the
 * kernel's entries with ours is one pass over two arrays.
 *
 * The store lives in memory that fork() wipes: a child starts with no pins.
 * The IOVA of a pin is its virtual address plus the process's own window in
 * the IOAS, which it claims at its first pin; nothing else has to be stored.
 * What a child of fork() had pinned stays in its window when it ends, until
 * another process takes the window or pin_release_gone() is called.
 *
 * Addresses and lengths are in bytes. Functions return 0 or a negative errno
 * and need the lock, but for pin_current() and pin_any(), which only read:
 * leaves that are given back become leaves again and nothing else, so a
 * reader that comes late sees a wrong entry and never wrong memory.
 */
#ifndef PIN_PIN_H
#define PIN_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIN_PAGE_SHIFT 12
#define PIN_PAGE_SIZE  (UINT64_C(1) << PIN_PAGE_SHIFT)
#define PIN_PMD_SHIFT  21
#define PIN_PUD_SHIFT  30

/* Higher addresses, which a program gets only by asking, cannot be pinned. */
#define PIN_VA_LIMIT (UINT64_C(1) << 48)

/* Of a pagemap entry: Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PFN	(UINT64_C(0x7fffffffffffff))
#define PAGEMAP_FILE	(UINT64_C(1) << 61)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)

/*
 * An entry of a page that the kernel is moving at this moment, or tries to: it
 * has a migration entry, which is a swap type above those of swap files. The
 * last type is that of markers, where no page is (include/linux/swap.h).
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
size_t pin_current(uint64_t va, const uint64_t *entries, size_t n);

/* The store, which is there from the first pin on. */
extern struct store *_Atomic pin_store __attribute__((visibility("hidden")));

/* True when something in the range is pinned. */
bool pin_any_stored(uint64_t va, uint64_t len);
static inline bool pin_any(uint64_t va, uint64_t len)
{
	return __builtin_expect(pin_store != NULL, 0) && pin_any_stored(va, len);
}

/* How many separate pins there are. */
size_t pin_count(void);

/*
 * Pins [va, va + len), which must hold no pins: pages of 1 << shift bytes,
 * all present. shared: other mappings of them may exist. -EFAULT: this is no
 * memory that can be pinned; -ENOMEM: no memory, or RLIMIT_MEMLOCK. After an
 * error ioas_check() tells whether the iommufd was lost, and with it all pins;
 * the next call then begins in another.
 */
int pin_add(uint64_t va, uint64_t len, unsigned int shift, bool shared);

/* The frame number of the pinned page at va, or 0. */
uint64_t pin_pfn(uint64_t va);

/*
 * The frame number that va has now, told by pinning it once more: for a
 * process that may not see it in pagemap.
 */
int pin_probe(uint64_t va, uint64_t *pfn);

/*
 * Unpins what is in the range. What a pin has outside of it stays pinned, and
 * so does a pin of which any page stands: between the call that gave the memory
 * away and this one another thread can have got memory at the same address, and
 * looked it up. stands() gets n pages of 1 << shift bytes from va on, pages[]
 * in the form of pagemap entries, when no lookup is answered by them any more.
 * Without it nothing stands.
 */
typedef bool pin_stands(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n);
void pin_release(uint64_t va, uint64_t len, pin_stands *stands);

/* The same where there is other memory now: a huge page goes even if it reaches beyond. */
void pin_replace(uint64_t va, uint64_t len, pin_stands *stands);

/*
 * Unpins what processes had pinned in the same iommufd that are gone with all
 * that they had forked since. True when there was anything.
 */
bool pin_release_gone(void);

/*
 * One pin: what one map of the IOAS covers. pin_next() finds the first that
 * ends after from.
 */
struct pin {
	uint64_t va;
	uint64_t len;
	unsigned int shift;
	bool shared;
};
bool pin_next(uint64_t from, struct pin *pin);

/*
 * Pinned pages that one read of pagemap shows: the first that ends after from,
 * and those that follow it, most together. Between them can be a few that are
 * not pinned. A huge page stands alone, for its first entry.
 */
struct pin_row {
	uint64_t va;
	unsigned int shift;
	size_t pages; /* entries to read from va on: at most 512 */
	size_t pinned;
};
bool pin_next_row(uint64_t from, size_t most, struct pin_row *row);

/*
 * The first of n entries of a row, or of its end, that does not name the frame
 * that is pinned there; n: all do.
 */
size_t pin_differs(uint64_t va, const uint64_t *entries, size_t n);

/* Pins under to what is pinned at [va, va + len), without a moment unpinned. */
int pin_copy(uint64_t va, uint64_t len, uint64_t to);

/*
 * The same for memory that is about to move to where nobody knows yet:
 * pin_hold() pins what is pinned at [va, va + len) once more, under no address,
 * and adds it to *list, which pin_let_go() ends in any case. In between,
 * pin_place() pins it under what was from and is to now.
 */
struct pin_held;
int pin_hold(uint64_t va, uint64_t len, struct pin_held **list);
int pin_place(const struct pin_held *list, uint64_t from, uint64_t to);
void pin_let_go(struct pin_held *list);

/* Bytes of the store itself. */
size_t pin_store_size(void);

#endif
