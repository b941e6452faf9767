/* SPDX-License-Identifier: MIT */
#include "pin/pin.h"

#include <errno.h>

#include "base/event.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/slab.h"
#include "base/sys.h"
#include "iommufd/family.h"
#include "iommufd/ioas.h"
#include "iommufd/lend.h"
#include "pin/maps.h"
#include "pin/store.h"

/* A window is as large as the address space; the first is the kernel's to choose from. */
#define WINDOW_SHIFT 48
#define OTHERS	     (65534 - FAMILY_LAST) /* windows for processes without a number */

/* A page whose frame, and those behind it in the largest page, no memory has. */
#define SLOT_ASIDE (PAGEMAP_PRESENT | (PAGEMAP_PFN ^ ((1 << (PIN_PUD_SHIFT - PIN_PAGE_SHIFT)) - 1)))

/* Pages of which the program was told where they are can be elsewhere from now on. */
static void say_lost(size_t count, uint64_t first)
{
	event_failure("what was pinned is no longer", first, -EBADF);
	log_error("the library's descriptors were closed by a call that does not go through libc: "
		  "%lu pins are lost with them, the first at 0x%lx. What was told before of these "
		  "addresses may be wrong from now on: look them up again, and close only "
		  "descriptors that are the program's own",
		  (unsigned long)count, first);
}

/* Forgets every pin: they went with the iommufd that they were made in. */
static void forget_all(struct store *s)
{
	struct pin pin;

	if (store_next(0, &pin))
		say_lost(store_count(), pin.va);
	while (store_next(0, &pin)) {
		for (uint64_t va = pin.va; va < pin.va + pin.len; va += UINT64_C(1) << pin.shift)
			store_clear(s, va, (pin.shift - PIN_PAGE_SHIFT) / 9);
		store_tally(s, -1);
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
 * no program has memory at, that of its number: what is there is of a process
 * that had it before. Where a process cannot have a number it takes one of the
 * others that is free, and nobody finds out when it is gone. The last window is
 * for ioas_identity().
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
	if (store_own && store_own->window)
		family_each_gone(unpin_windows);
	return unpinned_gone;
}

/* The store, ready for a pin. NULL with *error set when it cannot be. */
static struct store *ready(int *error)
{
	struct store *s = store_get();

	*error = s ? ioas_open() : -ENOMEM;
	if (!*error)
		*error = lend_page_table();
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
	struct store *s = store_own;

	if (!s || !s->window || s->generation != ioas_generation() || !ioas_has_table())
		return ready(error);
	*error = 0;
	return s;
}

/*
 * The page table tells them only to those who have CAP_SYS_RAWIO at that moment. To a
 * process that has given it up the pagemap tells them, which was opened with its rights:
 * what is pinned stays where that says.
 */
static int physical(const struct store *s, uint64_t va, uint64_t *run, uint64_t *pa)
{
	int ret = ioas_physical(s->window + va, run, pa);
	uint64_t entry;

	if (ret != -EPERM || !maps_entries(proc_pagemap(), va, &entry, 1) ||
	    !(entry & PAGEMAP_PRESENT) || PAGEMAP_HIDDEN(entry))
		return ret;
	*run = PIN_PAGE_SIZE;
	*pa = (entry & PAGEMAP_PFN) << PIN_PAGE_SHIFT;
	return 0;
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
		ret = physical(s, va, &run, &pa);
		if (ret)
			return ret;
		if (level)
			run = size_of(level);
		for (; run; run -= size_of(level), va += size_of(level), pa += size_of(level)) {
			ret = store_fill(s, va, level, flags | pa >> PIN_PAGE_SHIFT);
			if (ret)
				return ret;
			flags &= ~SLOT_HEAD;
		}
	}
	return 0;
}

/* Enters one new map, or undoes it. */
static int enter_map(struct store *s, uint64_t va, uint64_t len, unsigned int level, uint64_t flags)
{
	int ret;

	store_stretch(s, va, va + len);
	ret = enter(s, va, len, level, flags);
	if (!ret) {
		store_tally(s, 1);
		return 0;
	}
	store_empty(s, va, len, level);
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
		store_empty(s, va, len, 0);
		return;
	}
	ioas_unmap(iova, len);
	slot = store_find(s, va, &level);
	slot_put(slot, slot_load(slot) | SLOT_HEAD);
	store_tally(s, 1);
}

/*
 * Makes the n pages from va on match no entry, so that every lookup of them
 * comes to the lock. pages[] gets what stood there.
 */
static void set_aside(struct store *s, uint64_t va, unsigned int level, uint64_t *pages, size_t n)
{
	slot_t *slot = store_find(s, va, &level);

	for (size_t i = 0; i < n; i++) {
		pages[i] = slot_load(&slot[i]);
		slot_put(&slot[i], SLOT_ASIDE);
	}
	/* Whoever read a slot before saw it while the page was there. */
	__sync_synchronize();
}

static void put_back(struct store *s, uint64_t va, unsigned int level, const uint64_t *pages,
		     size_t n)
{
	slot_t *slot = store_find(s, va, &level);

	for (size_t i = 0; i < n; i++)
		slot_put(&slot[i], pages[i]);
}

/* The level of the pin, and what every slot of it has. */
static unsigned int kind_of(struct store *s, const struct pin *pin, uint64_t *flags)
{
	unsigned int level;

	*flags = slot_load(store_find(s, pin->va, &level)) & (SLOT_SHARED | SLOT_RDONLY);
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
	store_tally(s, -1);
	store_empty(s, first, len, level);
	event_unpin(first, len);
	restore(s, pin->va, head, writable, head_iova);
	restore(s, end, tail, writable, tail_iova);
}

void pin_release(uint64_t va, uint64_t len, pin_stands *stands)
{
	uint64_t end = va + len;
	struct pin pin;

	while (va < end && store_next(va, &pin) && pin.va < end) {
		release(store_own, &pin, va, end, stands);
		va = pin.va + pin.len;
	}
}

void pin_replace(uint64_t va, uint64_t len, pin_stands *stands)
{
	uint64_t end = va + len;
	struct pin pin;

	while (va < end && store_next(va, &pin) && pin.va < end) {
		if (pin.shift == PIN_PAGE_SHIFT)
			release(store_own, &pin, va, end, stands);
		else
			release(store_own, &pin, pin.va, pin.va + pin.len, stands);
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

	for (; s && !ret && va < end && store_next(va, &pin) && pin.va < end; va += part) {
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
	struct store *s = store_any(va, len) ? ready(&ret) : NULL;

	for (; s && !ret && va < end && store_next(va, &pin) && pin.va < end; va += part) {
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
