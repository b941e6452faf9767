/* SPDX-License-Identifier: MIT */
#include "pin/mark.h"

#include "base/process.h"
#include "base/sys.h"
#include "pin/pin.h"
#include "pin/walk.h"

/* The frames and addresses of strays: a hash table with open addressing, half full at most. */
struct stray {
	uint64_t frame; /* with the size of the page, see key_of(); 0: none */
	uint64_t va;
};

static struct {
	struct stray *table;
	size_t size; /* a power of 2 */
	bool huge[2];
	bool failed;
	uint64_t from, to, len; /* adjacent pages that were found */
	size_t looked_at;	/* strays, pages and mappings, by the last mark or attempt */
	size_t lookups;		/* pages looked up since then */
	size_t left;		/* strays that the last mark left */
} marking;

static uint64_t key_of(uint64_t pfn, unsigned int level)
{
	return pfn << 2 | level | UINT64_C(1) << 63;
}

static size_t place_of(uint64_t key)
{
	return (key * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (marking.size - 1);
}

static void enter(uint64_t va, unsigned int level)
{
	uint64_t key = key_of(store_page(va) & PAGEMAP_PFN, level);
	size_t at = place_of(key);

	while (marking.table[at].frame && marking.table[at].frame != key)
		at = (at + 1) & (marking.size - 1);
	marking.table[at] = (struct stray){key, va};
}

/* The address of the stray with this frame, or 0. */
static uint64_t stray_of(uint64_t pfn, unsigned int level)
{
	uint64_t key = key_of(pfn, level);
	size_t at = place_of(key);

	while (marking.table[at].frame && marking.table[at].frame != key)
		at = (at + 1) & (marking.size - 1);
	return marking.table[at].frame ? marking.table[at].va : 0;
}

static bool set_up(void)
{
	size_t count = 0;
	struct pin pin;

	for (uint64_t va = STORE_STRAYS; store_next(va, &pin); va = pin.va + pin.len)
		count += pin.len >> pin.shift;
	marking.looked_at = count;
	for (marking.size = 512; marking.size < 2 * count;)
		marking.size *= 2;
	marking.table = process_memory(marking.size * sizeof(*marking.table));
	if (!marking.table)
		return false;
	marking.huge[0] = marking.huge[1] = marking.failed = false;
	marking.len = 0;
	for (uint64_t va = STORE_STRAYS; store_next(va, &pin); va = pin.va + pin.len) {
		unsigned int level = (pin.shift - PIN_PAGE_SHIFT) / 9;

		if (level)
			marking.huge[level - 1] = true;
		for (uint64_t at = 0; at < pin.len; at += UINT64_C(1) << pin.shift)
			enter(pin.va + at, level);
	}
	return true;
}

/* Pins the adjacent pages that were found for their addresses. */
static void place(void)
{
	if (marking.len && pin_copy(marking.from, marking.len, marking.to))
		marking.failed = true;
	marking.len = 0;
}

static void found(uint64_t stray, uint64_t va, uint64_t size)
{
	if (marking.len && stray == marking.from + marking.len && va == marking.to + marking.len) {
		marking.len += size;
		return;
	}
	place();
	marking.from = stray;
	marking.to = va;
	marking.len = size;
}

static void look_for(uint64_t va, uint64_t entry, uint64_t size)
{
	uint64_t pfn = entry & PAGEMAP_PFN;
	uint64_t stray = stray_of(pfn, 0);

	if (stray)
		found(stray, va, PIN_PAGE_SIZE);
	for (unsigned int level = 1; level <= 2; level++)
		if (marking.huge[level - 1] && size == size_of(level)) {
			stray = stray_of(pfn, level);
			if (stray)
				found(stray, va, size);
		}
}

/*
 * The entry of a page that is being migrated, or that no program can reach any more,
 * still names the frame. Above the frame number it has two flags
 * (include/linux/swapops.h). The width of the number depends on the machine, so this
 * tries all possible widths.
 */
static void look_for_moving(uint64_t va, uint64_t entry, uint64_t size)
{
	static const unsigned int widths[] = {34, 36, 40};
	uint64_t named = (entry & PAGEMAP_PFN) >> 5, pfn, last = 0;

	for (unsigned int i = 0; i < sizeof(widths) / sizeof(widths[0]); i++, last = pfn) {
		pfn = named & ((UINT64_C(1) << widths[i]) - 1);
		if (pfn != last)
			look_for(va, pfn, size);
	}
}

static bool see(uint64_t va, const uint64_t *entries, size_t n, uint64_t size)
{
	for (size_t i = 0; i < n; i++) {
		if (pagemap_is_moving(entries[i]))
			look_for_moving(va + i * size, entries[i], size);
		else if (entries[i] & PAGEMAP_PRESENT)
			look_for(va + i * size, entries[i], size);
	}
	marking.looked_at += n ? n : 1;
	return true;
}

static bool look_everywhere(void)
{
	uint64_t end = store_own->strays_end;

	if (!set_up())
		return false;
	if (!walk(see))
		marking.failed = true;
	place();
	sys_memory_free(marking.table, marking.size * sizeof(*marking.table));
	if (!marking.failed)
		pin_drop_strays(end);
	return !marking.failed;
}

bool mark(void)
{
	bool done = !store_strays() || look_everywhere();

	marking.lookups = 0;
	marking.left = done ? 0 : store_strays();
	return done;
}

/* The number of pages that a mark may examine for each stray, and for each page looked up. */
#define PER_STRAY  64
#define PER_LOOKUP 8

bool mark_is_due(size_t lookups)
{
	size_t strays = store_strays();

	marking.lookups += lookups;
	if (!strays)
		return false;
	/*
	 * If there are fewer than the last mark left, those were lost with the iommufd or
	 * by fork().
	 */
	strays -= strays < marking.left ? 0 : marking.left;
	return (strays >= PER_STRAY && strays >= marking.looked_at / PER_STRAY) ||
	       marking.lookups >= PER_STRAY + marking.looked_at / PER_LOOKUP;
}
