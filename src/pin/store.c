/* SPDX-License-Identifier: MIT */
#include "pin/store.h"

#include <errno.h>

#include "base/checker.h"
#include "base/process.h"
#include "base/state.h"

#define TABLE_SIZE (SLOTS * sizeof(slot_t))
#define ARENA_SIZE (64 * TABLE_SIZE)
#define TABLE_USED (TABLE_SIZE - 1) /* in the address of a table: its number of slots in use */

struct store *_Atomic store_own;

static inline slot_t *table_of(uint64_t value)
{
	return (slot_t *)(uintptr_t)(value & ~(uint64_t)TABLE_USED);
}

static inline slot_t *slot_in(slot_t *table, unsigned int level, uint64_t va)
{
	return &table[va >> shift_of(level) & (SLOTS - 1)];
}

static inline slot_t *root_slot(struct store *s, uint64_t va)
{
	return &s->root[va >> shift_of(TOP)];
}

/*
 * False when there is no table below the slot. Otherwise *slot becomes the slot for va in
 * that table, whose level is level.
 */
static inline bool descend(slot_t **slot, unsigned int level, uint64_t va)
{
	uint64_t value = slot_load(*slot);

	if (!value || is_page(value))
		return false;
	*slot = slot_in(table_of(value), level, va);
	return true;
}

/* One step for each level instead of a loop, because every lookup comes here. */
static inline slot_t *walk(struct store *s, uint64_t va, unsigned int *level)
{
	slot_t *slot = root_slot(s, va);

	if (!descend(&slot, 2, va))
		*level = 3;
	else if (!descend(&slot, 1, va))
		*level = 2;
	else
		*level = !descend(&slot, 0, va);
	return slot;
}

slot_t *store_find(struct store *s, uint64_t va, unsigned int *level)
{
	return walk(s, va, level);
}

static inline uint64_t page_at(struct store *s, uint64_t va)
{
	unsigned int level;
	uint64_t value = slot_load(walk(s, va, &level));

	if (!is_page(value))
		return 0;
	return level ? value + ((va & (size_of(level) - 1)) >> PIN_PAGE_SHIFT) : value;
}

static inline uint64_t here(uint64_t va)
{
	struct store *s = store_own;

	return s && va < PIN_VA_LIMIT ? page_at(s, va) : 0;
}

/*
 * Readers may still use a table without the lock, so it is never unmapped. Tables come
 * from here and are reused here.
 */
static void *table_alloc(struct store *s, void **list)
{
	void *table = *list;

	if (table) {
		*list = (void *)(uintptr_t)slot_load(table);
		slot_put(table, 0);
		return table;
	}
	if (s->arena == s->arena_end) {
		s->arena = process_memory(ARENA_SIZE);
		if (!s->arena) {
			s->arena_end = NULL;
			return NULL;
		}
		checker_atomic(s->arena, ARENA_SIZE);
		s->arena_end = s->arena + ARENA_SIZE;
		s->size += ARENA_SIZE;
	}
	table = s->arena;
	s->arena += TABLE_SIZE;
	return table;
}

static void table_free(void **list, void *table)
{
	slot_put(table, (uintptr_t)*list);
	*list = table;
}

int store_fill(struct store *s, uint64_t va, unsigned int level, const uint64_t *pages, size_t n)
{
	slot_t *slot = root_slot(s, va), *above = slot;

	for (unsigned int at = TOP; at > level; at--) {
		uint64_t entry = slot_load(slot);

		if (!entry) {
			void *table = table_alloc(s, at == 1 ? &s->free_leaves : &s->free_tables);

			if (!table)
				return -ENOMEM;
			entry = (uintptr_t)table;
			slot_put(slot, entry);
		}
		above = slot;
		slot = slot_in(table_of(entry), at - 1, va);
	}
	for (size_t i = 0; i < n; i++)
		slot_put(&slot[i], pages[i]);
	slot_put(above, slot_load(above) + n);
	state_count(pages[level], n);
	return 0;
}

void store_empty(struct store *s, uint64_t va, unsigned int level, size_t n)
{
	slot_t *above = root_slot(s, va), *slot;
	uint64_t value;

	for (unsigned int at = TOP; at > level + 1; at--)
		above = slot_in(table_of(slot_load(above)), at - 1, va);
	value = slot_load(above) - n;
	slot = slot_in(table_of(value), level, va);
	for (size_t i = 0; i < n; i++)
		slot_put(&slot[i], 0);
	slot_put(above, value);
	state_count(pages[level], -n);
	if (!level && !(value & TABLE_USED)) {
		slot_put(above, 0);
		table_free(&s->free_leaves, table_of(value));
	}
}

void store_tally(struct store *s, int change)
{
	s->count += (size_t)change;
	state_count(pins, change);
}

void store_stretch(struct store *s, uint64_t start, uint64_t end)
{
	if (start >= STORE_STRAYS)
		return;
	if (!s->high || start < s->low)
		slot_put(&s->low, start);
	if (end > s->high)
		slot_put(&s->high, end);
}

struct store *store_get(void)
{
	struct store *s = store_own;

	if (!s) {
		s = process_memory((sizeof(*s) + PIN_PAGE_SIZE - 1) & ~(PIN_PAGE_SIZE - 1));
		if (s) {
			checker_atomic(s, offsetof(struct store, window));
			s->strays_end = STORE_STRAYS;
		}
		store_own = s;
	}
	return s;
}

/* True when an entry needs no action: there is no page, or it is this pinned page. */
static inline bool agrees(uint64_t entry, uint64_t page)
{
	if (entry & PAGEMAP_PRESENT)
		return !((entry ^ page) & (PAGEMAP_PFN | PAGEMAP_PRESENT));
	return !pagemap_is_moving(entry);
}

/* How many leading entries agree with the slots at the same index. */
static size_t match(slot_t *slots, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	for (; i < n; i++) {
		uint64_t page = atomic_load_explicit(&slots[i], memory_order_relaxed);

		/* Most pages are present and pinned in the same frame. */
		if (__builtin_expect((entries[i] ^ page) & (PAGEMAP_PFN | PAGEMAP_PRESENT), 0) ||
		    __builtin_expect(!is_page(page), 0))
			if (!agrees(entries[i], page))
				break;
	}
	return i;
}

/* The same where one slot is for all pages. page is 0 if nothing is pinned there. */
static size_t match_huge(uint64_t page, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	while (i < n && agrees(entries[i], page + i))
		i++;
	return i;
}

/* store_current() for any number of pages. */
static __attribute__((noinline)) size_t count_current(uint64_t va, const uint64_t *entries,
						      size_t n)
{
	struct store *s = store_own;
	size_t done = 0;

	if (!s)
		return match_huge(0, entries, n);
	while (done < n) {
		uint64_t at = va + (done << PIN_PAGE_SHIFT);
		unsigned int level;
		slot_t *slot;
		uint64_t value, offset;
		size_t part, good;

		if (at >= PIN_VA_LIMIT)
			return done + match_huge(0, entries + done, n - done);
		slot = walk(s, at, &level);
		value = slot_load(slot);
		offset = at & (size_of(level ? level : 1) - 1);
		part = (size_of(level ? level : 1) - offset) >> PIN_PAGE_SHIFT;
		if (part > n - done)
			part = n - done;
		if (!level)
			good = match(slot, entries + done, part);
		else
			good = match_huge(is_page(value) ? value + (offset >> PIN_PAGE_SHIFT) : 0,
					  entries + done, part);
		done += good;
		if (good < part)
			break;
	}
	return done;
}

size_t store_current(uint64_t va, const uint64_t *entries, size_t n)
{
	/* Most lookups are of one page. */
	return n == 1 ? agrees(*entries, here(va)) : count_current(va, entries, n);
}

/* If several lookups ask at the same time, one of them clears the flag. */
static bool take_ahead(uint64_t va, uint64_t entry)
{
	struct store *s = store_own;
	unsigned int level;
	slot_t *slot = s && va < PIN_VA_LIMIT ? walk(s, va, &level) : NULL;
	uint64_t page = slot ? slot_load(slot) : 0;

	return is_page(page) && page & SLOT_AHEAD && !level && agrees(entry, page & ~SLOT_AHEAD) &&
	       atomic_compare_exchange_strong(slot, &page, page & ~SLOT_AHEAD);
}

static __attribute__((noinline)) size_t ask(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t done = store_current(va, entries, n);

	while (done < n && take_ahead(va + (done << PIN_PAGE_SHIFT), entries[done])) {
		done++;
		done += count_current(va + (done << PIN_PAGE_SHIFT), entries + done, n - done);
	}
	return done;
}

size_t store_ask(uint64_t va, const uint64_t *entries, size_t n)
{
	/* Most lookups are of one page that is pinned. */
	return n == 1 && !((*entries ^ here(va)) & (PAGEMAP_PFN | PAGEMAP_PRESENT)) &&
			       *entries & PAGEMAP_PRESENT
		       ? 1
		       : ask(va, entries, n);
}

size_t store_count(void)
{
	return store_own ? atomic_load_explicit(&store_own->count, memory_order_relaxed) : 0;
}

size_t store_size(void)
{
	return store_own ? store_own->size : 0;
}

/*
 * The first slot with a page that ends after *va and begins before end. *va becomes the
 * start of that page.
 */
static slot_t *next_page(struct store *s, uint64_t *va, uint64_t end, unsigned int *level)
{
	uint64_t low = slot_load(&s->low), high = slot_load(&s->high);

	if (*va >= STORE_STRAYS) {
		low = STORE_STRAYS;
		high = s->strays_end;
	}
	if (*va < low)
		*va = low;
	if (end > high)
		end = high;
	while (*va < end) {
		slot_t *slot = walk(s, *va, level);
		unsigned int shift = shift_of(*level);
		uint64_t at = *va >> shift, last = (end - 1) >> shift;

		if (is_page(slot_load(slot))) {
			*va = at << shift;
			return slot;
		}
		if (last > (at | (SLOTS - 1)))
			last = at | (SLOTS - 1);
		/*
		 * Nothing is pinned below an empty slot, so empty ones in the same table
		 * are skipped.
		 */
		do
			at++;
		while (at <= last && !slot_load(++slot));
		*va = at << shift;
	}
	return NULL;
}

/* The slot of a page in the range of store_set_ahead(); NULL: its table is gone. */
static slot_t *window_slot(struct store *s, uint64_t va)
{
	unsigned int level;
	slot_t *slot;

	if (!s || va < s->ahead || va >= s->ahead_end)
		return NULL;
	slot = walk(s, va, &level);
	return level ? NULL : slot;
}

uint64_t store_next_ahead(uint64_t va, uint64_t *end)
{
	struct store *s = store_own;
	slot_t *slot;

	if (s && va < s->ahead)
		va = s->ahead;
	slot = window_slot(s, va);
	if (!slot)
		return 0;
	while (va < s->ahead_end && !(slot_load(slot) & SLOT_AHEAD)) {
		va += PIN_PAGE_SIZE;
		slot++;
	}
	for (*end = va; *end < s->ahead_end && slot_load(slot) & SLOT_AHEAD; slot++)
		*end += PIN_PAGE_SIZE;
	return *end > va ? va : 0;
}

size_t store_asked_ahead(uint64_t va)
{
	struct store *s = store_own;
	slot_t *slot = window_slot(s, va);
	size_t n = 0;

	for (; slot && va < s->ahead_end; va += PIN_PAGE_SIZE, slot++, n++)
		if (!is_page(slot_load(slot)) || slot_load(slot) & SLOT_AHEAD)
			break;
	return n;
}

bool store_any_slot(uint64_t va, uint64_t len)
{
	uint64_t end = va < PIN_VA_LIMIT && len < PIN_VA_LIMIT - va ? va + len : PIN_VA_LIMIT;
	struct store *s = store_own;
	unsigned int level;

	if (va >= slot_load(&s->high) || end <= slot_load(&s->low))
		return false;
	return next_page(s, &va, end, &level);
}

size_t store_vacant(uint64_t va, size_t n)
{
	struct store *s = store_own;
	unsigned int level;
	uint64_t at = va;

	if (!s || !next_page(s, &at, va + (n << PIN_PAGE_SHIFT), &level))
		return n;
	return at > va ? (at - va) >> PIN_PAGE_SHIFT : 0;
}

bool store_next(uint64_t from, struct pin *pin)
{
	struct store *s = store_own;
	unsigned int level;
	slot_t *slot;
	uint64_t value;

	slot = s ? next_page(s, &from, UINT64_MAX, &level) : NULL;
	if (!slot)
		return false;
	/* Maps do not cross the border of a leaf, so the head is in the same leaf. */
	while (!(slot_load(slot) & SLOT_HEAD)) {
		slot--;
		from -= PIN_PAGE_SIZE;
	}
	value = slot_load(slot);
	*pin = (struct pin){.va = from,
			    .len = size_of(level),
			    .shift = shift_of(level),
			    .shared = value & SLOT_SHARED};
	if (!level) {
		size_t n = 1, left = SLOTS - (from >> PIN_PAGE_SHIFT) % SLOTS;

		while (n < left &&
		       (slot_load(slot + n) & (PAGEMAP_PRESENT | SLOT_HEAD)) == PAGEMAP_PRESENT)
			n++;
		pin->len = n << PIN_PAGE_SHIFT;
	}
	return true;
}

/* Reading so many entries costs as much as another read(). */
#define ROW_GAP 16

bool store_next_row(uint64_t from, size_t most, struct store_row *row)
{
	struct store *s = store_own;
	unsigned int level;
	slot_t *slot;

	slot = s ? next_page(s, &from, UINT64_MAX, &level) : NULL;
	if (!slot)
		return false;
	*row = (struct store_row){.va = from, .shift = shift_of(level), .pages = 1, .pinned = 1};
	if (level)
		return true;
	for (size_t i = 1, left = SLOTS - (from >> PIN_PAGE_SHIFT) % SLOTS;
	     i < left && i - row->pages < ROW_GAP && row->pinned < most; i++)
		if (is_page(slot_load(slot + i))) {
			row->pages = i + 1;
			row->pinned++;
		}
	return true;
}

size_t store_differs(uint64_t va, const uint64_t *entries, size_t n)
{
	unsigned int level;
	slot_t *slot = walk(store_own, va, &level);

	for (size_t i = 0; i < (level ? 1 : n); i++) {
		uint64_t page = slot_load(slot + i);

		if (is_page(page) &&
		    ((page & ~SLOT_AHEAD) ^ entries[i]) & (PAGEMAP_PFN | PAGEMAP_PRESENT))
			return i;
	}
	return n;
}

uint64_t store_page(uint64_t va)
{
	return store_own && va < STORE_LIMIT ? page_at(store_own, va) & ~SLOT_AHEAD : 0;
}

uint64_t store_asked(uint64_t va)
{
	unsigned int level;
	uint64_t page = here(va);

	if (page & SLOT_AHEAD)
		slot_unset(walk(store_own, va, &level), SLOT_AHEAD);
	return page & PAGEMAP_PFN & ~SLOT_AHEAD;
}

void store_set_ahead(uint64_t va, size_t n)
{
	store_own->ahead = va;
	store_own->ahead_end = va + (n << PIN_PAGE_SHIFT);
}

void store_set_leaving(uint64_t va, size_t n, bool leaving)
{
	unsigned int level;
	slot_t *slot = walk(store_own, va, &level);

	for (size_t i = 0; i < n; i++)
		if (leaving)
			slot_set(&slot[i], SLOT_LEAVING);
		else
			slot_unset(&slot[i], SLOT_LEAVING);
}

size_t store_strays(void)
{
	return store_own ? store_own->strays : 0;
}

uint64_t store_pfn(uint64_t va)
{
	return here(va) & PAGEMAP_PFN & ~SLOT_AHEAD;
}
