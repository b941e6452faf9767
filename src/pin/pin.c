/* SPDX-License-Identifier: MIT */
#include "pin/pin.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/event.h"
#include "base/helgrind.h"
#include "base/log.h"
#include "base/process.h"
#include "base/slab.h"
#include "base/state.h"
#include "base/sys.h"
#include "iommufd/family.h"
#include "iommufd/ioas.h"

#define SLOTS	   512
#define TOP	   3 /* level of the root; a leaf is level 0 */
#define ARENA_SIZE (64 * PIN_PAGE_SIZE)

/* A window is as large as the address space; the first is the kernel's to choose from. */
#define WINDOW_SHIFT 48
#define OTHERS	     (65535 - FAMILY_LAST) /* windows for processes of no family */

/*
 * A slot is 0, or PRESENT with a frame number and these flags, or the address
 * of a table with the number of its slots in use in the low bits.
 */
#define SLOT_HEAD   (UINT64_C(1) << 62) /* first page of a map of the IOAS */
#define SLOT_SHARED PAGEMAP_FILE
#define SLOT_RDONLY (UINT64_C(1) << 60)
#define TABLE_USED  (PIN_PAGE_SIZE - 1)

/* A page whose frame, and those behind it in the largest page, no memory has. */
#define SLOT_ASIDE (PAGEMAP_PRESENT | (PAGEMAP_PFN ^ ((1 << (PIN_PUD_SHIFT - PIN_PAGE_SHIFT)) - 1)))

typedef _Atomic(uint64_t) slot_t;

struct store {
	slot_t root[SLOTS];
	_Atomic(uint64_t) low, high; /* all pins lie between, and all there ever were */
	_Atomic(size_t) count;
	uint64_t window; /* IOVA of virtual address 0; 0: none claimed yet */
	unsigned int generation;
	size_t size;
	char *arena, *arena_end;
	void *free_leaves;
	void *free_tables;
};

struct store *_Atomic pin_store;

static inline uint64_t load(slot_t *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}

static inline void put(slot_t *slot, uint64_t value)
{
	atomic_store_explicit(slot, value, memory_order_release);
}

static inline bool is_page(uint64_t value)
{
	return value & PAGEMAP_PRESENT;
}

static inline slot_t *table_of(uint64_t value)
{
	return (slot_t *)(uintptr_t)(value & ~TABLE_USED);
}

static inline unsigned int shift_of(unsigned int level)
{
	return PIN_PAGE_SHIFT + 9 * level;
}

static inline uint64_t size_of(unsigned int level)
{
	return UINT64_C(1) << shift_of(level);
}

static inline slot_t *slot_in(slot_t *table, unsigned int level, uint64_t va)
{
	return &table[va >> shift_of(level) & (SLOTS - 1)];
}

/*
 * The deepest slot for va: a page, or an empty one. *level is its level; what
 * an empty slot covers holds no pin at all.
 */
static inline slot_t *find(struct store *s, uint64_t va, unsigned int *level)
{
	slot_t *slot = slot_in(s->root, TOP, va);

	for (*level = TOP; *level;) {
		uint64_t value = load(slot);

		if (!value || is_page(value))
			break;
		slot = slot_in(table_of(value), --*level, va);
	}
	return slot;
}

/* The pinned page at va as a pagemap entry has it; 0: there is none. */
static inline uint64_t page_at(uint64_t va)
{
	struct store *s = pin_store;
	unsigned int level;
	uint64_t value;

	if (!s || va >= PIN_VA_LIMIT)
		return 0;
	value = load(find(s, va, &level));
	if (!is_page(value))
		return 0;
	return level ? value + ((va & (size_of(level) - 1)) >> PIN_PAGE_SHIFT) : value;
}

/* What find() found must stay: pages of a table are taken from here and come back here. */
static void *page_alloc(struct store *s, void **list)
{
	void *page = *list;

	if (page) {
		*list = (void *)(uintptr_t)load(page);
		put(page, 0);
		return page;
	}
	if (s->arena == s->arena_end) {
		s->arena = process_memory(ARENA_SIZE);
		if (!s->arena) {
			s->arena_end = NULL;
			return NULL;
		}
		helgrind_atomic(s->arena, ARENA_SIZE);
		s->arena_end = s->arena + ARENA_SIZE;
		s->size += ARENA_SIZE;
	}
	page = s->arena;
	s->arena += PIN_PAGE_SIZE;
	return page;
}

static void page_free(void **list, void *page)
{
	put(page, (uintptr_t)*list);
	*list = page;
}

/* Puts a page into its slot, with the tables above it that are not there yet. */
static int fill(struct store *s, uint64_t va, unsigned int level, uint64_t value)
{
	slot_t *slot = slot_in(s->root, TOP, va), *above = slot;

	for (unsigned int at = TOP; at > level; at--) {
		uint64_t entry = load(slot);

		if (!entry) {
			void *table = page_alloc(s, at == 1 ? &s->free_leaves : &s->free_tables);

			if (!table)
				return -ENOMEM;
			entry = (uintptr_t)table;
			put(slot, entry);
		}
		above = slot;
		slot = slot_in(table_of(entry), at - 1, va);
	}
	put(slot, value);
	put(above, load(above) + 1);
	state_count(pages[level], 1);
	return 0;
}

/*
 * Empties the slot and gives a leaf back that has no other. Tables above the
 * leaves stay: there is one to a GiB, and readers may be on their way through.
 */
static void clear(struct store *s, uint64_t va, unsigned int level)
{
	slot_t *above = slot_in(s->root, TOP, va);
	uint64_t value;

	for (unsigned int at = TOP; at > level + 1; at--)
		above = slot_in(table_of(load(above)), at - 1, va);
	value = load(above) - 1;
	put(slot_in(table_of(value), level, va), 0);
	put(above, value);
	state_count(pages[level], -1);
	if (!level && !(value & TABLE_USED)) {
		put(above, 0);
		page_free(&s->free_leaves, table_of(value));
	}
}

static void count(struct store *s, int change)
{
	s->count += (size_t)change;
	state_count(pins, change);
}

static void stretch(struct store *s, uint64_t start, uint64_t end)
{
	if (!s->high || start < s->low)
		put(&s->low, start);
	if (end > s->high)
		put(&s->high, end);
}

static struct store *get_store(void)
{
	struct store *s = pin_store;

	if (!s) {
		s = process_memory((sizeof(*s) + PIN_PAGE_SIZE - 1) & ~(PIN_PAGE_SIZE - 1));
		if (s)
			helgrind_atomic(s, offsetof(struct store, window));
		pin_store = s;
	}
	return s;
}

/* Forgets every pin: they went with the iommufd that they were made in. */
static void forget_all(struct store *s)
{
	struct pin pin;

	while (pin_next(0, &pin)) {
		for (uint64_t va = pin.va; va < pin.va + pin.len; va += UINT64_C(1) << pin.shift)
			clear(s, va, (pin.shift - PIN_PAGE_SHIFT) / 9);
		count(s, -1);
		event_unpin(pin.va, pin.len);
	}
	s->window = 0;
}

static int claim(struct store *s, uint64_t number)
{
	uint64_t window = number << WINDOW_SHIFT;
	int ret = ioas_map((uintptr_t)s, PIN_PAGE_SIZE, window, true);

	if (!ret)
		s->window = window;
	return ret;
}

static bool unpinned_gone;

static void unpin_windows(unsigned int first, unsigned int last)
{
	if (!ioas_unmap((uint64_t)first << WINDOW_SHIFT, (uint64_t)(last - first + 1)
								 << WINDOW_SHIFT))
		unpinned_gone = true;
}

/*
 * Several processes can share one iommufd, by fork() or SCM_RIGHTS, and their
 * addresses are alike. Each claims a window by a map at its first page, which
 * no program has memory at. One of a family takes that of its number: what is
 * there is of a process that had it before. Others take one that is free.
 */
static int claim_window(struct store *s)
{
	int ret = family_number();

	if (ret > 0) {
		unsigned int number = (unsigned int)ret;

		ret = claim(s, number);
		if (ret != -EEXIST)
			return ret;
		unpin_windows(number, number);
		return claim(s, number);
	}
	ret = -EEXIST;
	for (uint64_t i = 0; i < OTHERS && ret == -EEXIST; i++)
		ret = claim(s, FAMILY_LAST + 1 + ((uint64_t)sys_getpid() + i) % OTHERS);
	return ret == -EEXIST ? -ENOSPC : ret;
}

bool pin_release_gone(void)
{
	unpinned_gone = false;
	if (pin_store && pin_store->window)
		family_each_gone(unpin_windows);
	return unpinned_gone;
}

/* The store, ready for a pin. NULL with *error set when it cannot be. */
static struct store *ready(int *error)
{
	struct store *s = get_store();

	*error = s ? ioas_page_table() : -ENOMEM;
	if (*error)
		return NULL;
	if (s->generation != ioas_generation()) {
		forget_all(s);
		s->generation = ioas_generation();
	}
	if (!s->window)
		*error = claim_window(s);
	return *error ? NULL : s;
}

/* The same without a system call, where all was found ready before: see ioas_has_table(). */
static struct store *ready_before(int *error)
{
	struct store *s = pin_store;

	if (!s || !s->window || s->generation != ioas_generation() || !ioas_has_table())
		return ready(error);
	*error = 0;
	return s;
}

/* True when an entry says no more than that there is no page, or that there is this one. */
static inline bool agrees(uint64_t entry, uint64_t page)
{
	if (entry & PAGEMAP_PRESENT)
		return !((entry ^ page) & (PAGEMAP_PFN | PAGEMAP_PRESENT));
	return !pagemap_is_moving(entry);
}

/* Leading entries that agree with the slots beside them. */
static size_t match(slot_t *slots, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	for (; i < n; i++) {
		uint64_t page = atomic_load_explicit(&slots[i], memory_order_relaxed);

		/* Mostly it is there and the same. */
		if (__builtin_expect((entries[i] ^ page) & (PAGEMAP_PFN | PAGEMAP_PRESENT), 0) ||
		    __builtin_expect(!is_page(page), 0))
			if (!agrees(entries[i], page))
				break;
	}
	return i;
}

/* The same where one slot stands for all the pages. */
static size_t match_huge(uint64_t page, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	while (i < n && agrees(entries[i], page + i))
		i++;
	return i;
}

/* The same where nothing is pinned. */
static size_t absent(const uint64_t *entries, size_t n)
{
	size_t i = 0;

	while (i < n && agrees(entries[i], 0))
		i++;
	return i;
}

/* The same, of any number. */
static __attribute__((noinline)) size_t count_current(uint64_t va, const uint64_t *entries,
						      size_t n)
{
	struct store *s = pin_store;
	size_t done = 0;

	if (!s)
		return absent(entries, n);
	while (done < n) {
		uint64_t at = va + (done << PIN_PAGE_SHIFT);
		unsigned int level;
		slot_t *slot;
		uint64_t value, offset;
		size_t part, good;

		if (at >= PIN_VA_LIMIT)
			return done + absent(entries + done, n - done);
		slot = find(s, at, &level);
		value = load(slot);
		offset = at & (size_of(level ? level : 1) - 1);
		part = (size_of(level ? level : 1) - offset) >> PIN_PAGE_SHIFT;
		if (part > n - done)
			part = n - done;
		if (!level)
			good = match(slot, entries + done, part);
		else if (is_page(value))
			good = match_huge(value + (offset >> PIN_PAGE_SHIFT), entries + done, part);
		else
			good = absent(entries + done, part);
		done += good;
		if (good < part)
			break;
	}
	return done;
}

size_t pin_current(uint64_t va, const uint64_t *entries, size_t n)
{
	/* Mostly a driver asks for one. */
	return n == 1 ? agrees(*entries, page_at(va)) : count_current(va, entries, n);
}

size_t pin_count(void)
{
	return pin_store ? atomic_load_explicit(&pin_store->count, memory_order_relaxed) : 0;
}

size_t pin_store_size(void)
{
	return pin_store ? pin_store->size : 0;
}

/* The first page slot that covers *va or begins behind it, before end. */
static slot_t *next_page(struct store *s, uint64_t *va, uint64_t end, unsigned int *level)
{
	uint64_t low = load(&s->low), high = load(&s->high);

	if (*va < low)
		*va = low;
	if (end > high)
		end = high;
	while (*va < end) {
		slot_t *slot = find(s, *va, level);
		unsigned int shift = shift_of(*level);
		uint64_t at = *va >> shift, last = (end - 1) >> shift;

		if (is_page(load(slot))) {
			*va = at << shift;
			return slot;
		}
		if (last > (at | (SLOTS - 1)))
			last = at | (SLOTS - 1);
		/* Where the next one in the table is empty too, there is no other way to it. */
		do
			at++;
		while (at <= last && !load(++slot));
		*va = at << shift;
	}
	return NULL;
}

bool pin_any_stored(uint64_t va, uint64_t len)
{
	uint64_t end = va < PIN_VA_LIMIT && len < PIN_VA_LIMIT - va ? va + len : PIN_VA_LIMIT;
	struct store *s = pin_store;
	unsigned int level;

	if (va >= load(&s->high) || end <= load(&s->low))
		return false;
	return next_page(s, &va, end, &level);
}

bool pin_next(uint64_t from, struct pin *pin)
{
	struct store *s = pin_store;
	unsigned int level;
	slot_t *slot;
	uint64_t value;

	slot = s ? next_page(s, &from, UINT64_MAX, &level) : NULL;
	if (!slot)
		return false;
	/* Maps do not cross the border of a leaf, so the head is in the same one. */
	while (!(load(slot) & SLOT_HEAD)) {
		slot--;
		from -= PIN_PAGE_SIZE;
	}
	value = load(slot);
	*pin = (struct pin){.va = from,
			    .len = size_of(level),
			    .shift = shift_of(level),
			    .shared = value & SLOT_SHARED};
	if (!level) {
		while ((from += PIN_PAGE_SIZE) & (size_of(1) - 1)) {
			value = load(++slot);
			if (!is_page(value) || value & SLOT_HEAD)
				break;
			pin->len += PIN_PAGE_SIZE;
		}
	}
	return true;
}

/* To read so many entries costs as much as another read. */
#define ROW_GAP 16

bool pin_next_row(uint64_t from, size_t most, struct pin_row *row)
{
	struct store *s = pin_store;
	unsigned int level;
	slot_t *slot;

	slot = s ? next_page(s, &from, UINT64_MAX, &level) : NULL;
	if (!slot)
		return false;
	*row = (struct pin_row){.va = from, .shift = shift_of(level), .pages = 1, .pinned = 1};
	if (level)
		return true;
	for (size_t i = 1, left = SLOTS - (from >> PIN_PAGE_SHIFT) % SLOTS;
	     i < left && i - row->pages < ROW_GAP && row->pinned < most; i++)
		if (is_page(load(slot + i))) {
			row->pages = i + 1;
			row->pinned++;
		}
	return true;
}

size_t pin_differs(uint64_t va, const uint64_t *entries, size_t n)
{
	unsigned int level;
	slot_t *slot = find(pin_store, va, &level);

	for (size_t i = 0; i < (level ? 1 : n); i++) {
		uint64_t page = load(slot + i);

		if (is_page(page) && (page ^ entries[i]) & (PAGEMAP_PFN | PAGEMAP_PRESENT))
			return i;
	}
	return n;
}

uint64_t pin_pfn(uint64_t va)
{
	return page_at(va) & PAGEMAP_PFN;
}

/* Enters what is mapped at [va, va + len): the frames are what the page table says. */
static int enter(struct store *s, uint64_t va, uint64_t len, unsigned int level, uint64_t flags)
{
	uint64_t end = va + len;

	flags |= PAGEMAP_PRESENT | SLOT_HEAD;
	while (va < end) {
		uint64_t run = end - va, pa;
		int ret;

		if (level)
			run = PIN_PAGE_SIZE;
		ret = ioas_physical(s->window + va, &run, &pa);
		if (ret)
			return ret;
		if (level)
			run = size_of(level);
		for (; run; run -= size_of(level), va += size_of(level), pa += size_of(level)) {
			ret = fill(s, va, level, flags | pa >> PIN_PAGE_SHIFT);
			if (ret)
				return ret;
			flags &= ~SLOT_HEAD;
		}
	}
	return 0;
}

static void empty(struct store *s, uint64_t va, uint64_t len, unsigned int level)
{
	for (uint64_t end = va + len; va < end; va += size_of(level)) {
		unsigned int at;

		if (is_page(load(find(s, va, &at))))
			clear(s, va, level);
	}
}

/* Enters one new map, or undoes it. */
static int enter_map(struct store *s, uint64_t va, uint64_t len, unsigned int level, uint64_t flags)
{
	int ret;

	stretch(s, va, va + len);
	ret = enter(s, va, len, level, flags);
	if (!ret) {
		count(s, 1);
		return 0;
	}
	empty(s, va, len, level);
	ioas_unmap(s->window + va, len);
	return ret;
}

/* Maps and enters [va, va + len), which one map may cover. */
static int add(struct store *s, uint64_t va, uint64_t len, unsigned int level, uint64_t flags)
{
	int ret = ioas_map(va, len, s->window + va, true);

	/* They count against the same limit. */
	if (ret == -ENOMEM && pin_release_gone())
		ret = ioas_map(va, len, s->window + va, true);
	if (ret == -EFAULT) {
		flags |= SLOT_RDONLY;
		ret = ioas_map(va, len, s->window + va, false);
	}
	return ret ? ret : enter_map(s, va, len, level, flags);
}

/* How much of [va, end) one map may cover: it does not cross the border of a leaf. */
static uint64_t in_one_map(uint64_t va, uint64_t end, unsigned int level)
{
	uint64_t border = size_of(level ? level : 1);
	uint64_t part = border - (va & (border - 1));

	return part < end - va ? part : end - va;
}

int pin_add(uint64_t va, uint64_t len, unsigned int shift, bool shared)
{
	unsigned int level = (shift - PIN_PAGE_SHIFT) / 9;
	uint64_t flags = shared ? SLOT_SHARED : 0;
	uint64_t end = va + len;
	int ret;
	struct store *s = ready_before(&ret);

	if (s && end > PIN_VA_LIMIT)
		ret = -EFAULT;
	while (!ret && va < end) {
		uint64_t part = in_one_map(va, end, level);

		ret = add(s, va, part, level, flags);
		event_pin(va, part, size_of(level), ret);
		va += part;
	}
	return ret;
}

int pin_probe(uint64_t va, uint64_t *pfn)
{
	uint64_t len = PIN_PAGE_SIZE, iova, pa = 0;
	int ret;
	struct store *s = ready(&ret);

	if (!s)
		return ret;
	/* The second page of the window, which no program has memory at either. */
	iova = s->window + PIN_PAGE_SIZE;
	va &= ~(PIN_PAGE_SIZE - 1);
	ret = ioas_map(va, len, iova, true);
	if (ret == -EFAULT)
		ret = ioas_map(va, len, iova, false);
	if (ret)
		return ret;
	ret = ioas_physical(iova, &len, &pa);
	ioas_unmap(iova, PIN_PAGE_SIZE);
	*pfn = pa >> PIN_PAGE_SHIFT;
	return ret;
}

/*
 * Keeps [va, va + len), a part of a map that is about to go: a map can only be
 * undone whole, and the IOVA of the part is taken by it until then.
 */
static int save(struct store *s, uint64_t va, uint64_t len, bool writable, uint64_t *iova)
{
	return len ? ioas_copy_anywhere(s->window + va, len, iova, writable) : 0;
}

static void restore(struct store *s, uint64_t va, uint64_t len, bool writable, uint64_t iova)
{
	unsigned int level;
	slot_t *slot;

	if (!len)
		return;
	if (ioas_copy(iova, len, s->window + va, writable)) {
		/* No memory for the copy: better pinned for ever than not pinned. */
		log_error("out of memory: %lu bytes stay pinned until the process ends", len);
		empty(s, va, len, 0);
		return;
	}
	ioas_unmap(iova, len);
	slot = find(s, va, &level);
	put(slot, load(slot) | SLOT_HEAD);
	count(s, 1);
}

/*
 * Makes the n pages from va on match no entry, so that every lookup of them
 * comes to the lock. pages[] gets what stood there.
 */
static void set_aside(struct store *s, uint64_t va, unsigned int level, uint64_t *pages, size_t n)
{
	slot_t *slot = find(s, va, &level);

	for (size_t i = 0; i < n; i++) {
		pages[i] = load(&slot[i]);
		put(&slot[i], SLOT_ASIDE);
	}
	/* Whoever read a slot before saw it while the page was there. */
	__sync_synchronize();
}

static void put_back(struct store *s, uint64_t va, unsigned int level, const uint64_t *pages,
		     size_t n)
{
	slot_t *slot = find(s, va, &level);

	for (size_t i = 0; i < n; i++)
		put(&slot[i], pages[i]);
}

/* The level of the pin, and what every slot of it has. */
static unsigned int kind_of(struct store *s, const struct pin *pin, uint64_t *flags)
{
	unsigned int level;

	*flags = load(find(s, pin->va, &level)) & (SLOT_SHARED | SLOT_RDONLY);
	return level;
}

static void release(struct store *s, const struct pin *pin, uint64_t va, uint64_t end,
		    pin_stands *stands)
{
	static uint64_t pages[SLOTS];
	uint64_t flags;
	unsigned int level = kind_of(s, pin, &flags);
	uint64_t pin_end = pin->va + pin->len;
	uint64_t head = va > pin->va ? va - pin->va : 0;
	uint64_t tail = pin_end > end ? pin_end - end : 0;
	uint64_t first = pin->va + head, len = pin->len - head - tail;
	uint64_t head_iova = 0, tail_iova = 0;
	bool writable = !(flags & SLOT_RDONLY);
	size_t n = len >> pin->shift;

	/* A huge page is one: it goes when all of it goes. */
	if (level && (head || tail))
		return;
	set_aside(s, first, level, pages, n);
	if ((stands && stands(first, pin->shift, pages, n)) ||
	    save(s, pin->va, head, writable, &head_iova)) {
		put_back(s, first, level, pages, n);
		return;
	}
	if (save(s, end, tail, writable, &tail_iova)) {
		if (head)
			ioas_unmap(head_iova, head);
		put_back(s, first, level, pages, n);
		return;
	}
	ioas_unmap(s->window + pin->va, pin->len);
	count(s, -1);
	empty(s, first, len, level);
	event_unpin(first, len);
	restore(s, pin->va, head, writable, head_iova);
	restore(s, end, tail, writable, tail_iova);
}

void pin_release(uint64_t va, uint64_t len, pin_stands *stands)
{
	uint64_t end = va + len;
	struct pin pin;

	while (va < end && pin_next(va, &pin) && pin.va < end) {
		release(pin_store, &pin, va, end, stands);
		va = pin.va + pin.len;
	}
}

void pin_replace(uint64_t va, uint64_t len, pin_stands *stands)
{
	uint64_t end = va + len;
	struct pin pin;

	while (va < end && pin_next(va, &pin) && pin.va < end) {
		if (pin.shift == PIN_PAGE_SHIFT)
			release(pin_store, &pin, va, end, stands);
		else
			release(pin_store, &pin, pin.va, pin.va + pin.len, stands);
		va = pin.va + pin.len;
	}
}

/* Pins under to what the IOAS has at [iova, iova + len). */
static int pin_again(struct store *s, uint64_t iova, uint64_t len, unsigned int level,
		     uint64_t flags, uint64_t to)
{
	int ret = 0;

	for (uint64_t end = to + len, part; to < end && !ret; to += part, iova += part) {
		part = in_one_map(to, end, level);
		pin_replace(to, part, NULL);
		ret = ioas_copy(iova, part, s->window + to, !(flags & SLOT_RDONLY));
		if (!ret)
			ret = enter_map(s, to, part, level, flags);
		event_pin(to, part, size_of(level), ret);
	}
	return ret;
}

/*
 * What of [va, end) is pinned with pin: *va and *part. False for a part of a
 * huge page, which is of one that is there no more.
 */
static bool cut_to(const struct pin *pin, uint64_t *va, uint64_t end, uint64_t *part)
{
	if (*va < pin->va)
		*va = pin->va;
	*part = (pin->va + pin->len < end ? pin->va + pin->len : end) - *va;
	return pin->shift == PIN_PAGE_SHIFT || *part == pin->len;
}

int pin_copy(uint64_t va, uint64_t len, uint64_t to)
{
	uint64_t start = va, end = va + len, part, flags;
	struct pin pin;
	int ret;
	struct store *s = ready(&ret);

	for (; s && !ret && va < end && pin_next(va, &pin) && pin.va < end; va += part) {
		unsigned int level = kind_of(s, &pin, &flags);

		if (cut_to(&pin, &va, end, &part))
			ret = pin_again(s, s->window + va, part, level, flags, to + (va - start));
	}
	return ret;
}

/* ---- while memory moves ---- */

struct pin_held {
	struct pin_held *next;
	uint64_t va;
	uint64_t len;
	uint64_t iova;
	uint64_t flags;
	unsigned int level;
	unsigned int generation; /* of the iommufd that it is in */
};

static struct slab held_pins = {.size = sizeof(struct pin_held)};

int pin_hold(uint64_t va, uint64_t len, struct pin_held **list)
{
	uint64_t end = va + len, part;
	struct pin pin;
	int ret = 0;
	struct store *s = pin_any(va, len) ? ready(&ret) : NULL;

	for (; s && !ret && va < end && pin_next(va, &pin) && pin.va < end; va += part) {
		struct pin_held *held;

		if (!cut_to(&pin, &va, end, &part))
			continue;
		held = slab_alloc(&held_pins);
		if (!held)
			return -ENOMEM;
		held->va = va;
		held->len = part;
		held->level = kind_of(s, &pin, &held->flags);
		held->generation = s->generation;
		ret = save(s, va, part, !(held->flags & SLOT_RDONLY), &held->iova);
		if (ret) {
			slab_free(&held_pins, held);
			break;
		}
		held->next = *list;
		*list = held;
	}
	return ret;
}

int pin_place(const struct pin_held *list, uint64_t from, uint64_t to)
{
	int ret = 0;
	struct store *s = list ? ready(&ret) : NULL;

	for (; s && !ret && list; list = list->next)
		ret = list->generation != s->generation
			      ? -ENOENT
			      : pin_again(s, list->iova, list->len, list->level, list->flags,
					  to + (list->va - from));
	return ret;
}

void pin_let_go(struct pin_held *list)
{
	while (list) {
		struct pin_held *held = list;

		list = held->next;
		if (held->generation == ioas_generation())
			ioas_unmap(held->iova, held->len);
		slab_free(&held_pins, held);
	}
}
