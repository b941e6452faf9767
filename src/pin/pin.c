/* SPDX-License-Identifier: MIT */
#include "pin/pin.h"

#include <errno.h>

#include "backend/backend.h"
#include "base/event.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "pin/maps.h"
#include "pin/renew.h"
#include "pin/store.h"

/* A page in a frame that does not exist. Nor do the frames after it, in a huge page. */
#define SLOT_ASIDE (PAGEMAP_PRESENT | (PAGEMAP_PFN ^ SLOT_AHEAD ^ (SLOTS * SLOTS - 1)))

/* Logs that addresses which the program has read may be wrong from now on. */
static void say_lost(size_t count, uint64_t first)
{
	event_failure("what was pinned is no longer", first, -EBADF);
	log_error("the library's descriptors were closed by a call that does not go through libc: "
		  "%lu pins are lost with them, the first at 0x%lx. Their physical addresses may "
		  "be wrong from now on: look them up again, and close only descriptors that are "
		  "the program's own",
		  (unsigned long)count, first);
}

static unsigned int level_of(const struct pin *pin)
{
	return (pin->shift - PIN_PAGE_SHIFT) / 9;
}

/* No page is pinned any more. */
static void empty(struct store *s)
{
	struct pin pin;

	while (store_next(0, &pin) || store_next(STORE_STRAYS, &pin)) {
		store_empty(s, pin.va, level_of(&pin), pin.len >> pin.shift);
		store_tally(s, -1);
		event_unpin(pin.va, pin.len);
	}
	s->window = 0;
	s->strays = 0;
	s->strays_end = STORE_STRAYS;
}

/* The iommufd that had the pins is gone. */
static void lose_all(struct store *s)
{
	struct pin pin;

	if (store_next(0, &pin))
		say_lost(store_count(), pin.va);
	empty(s);
}

/* The store, ready for a pin. NULL on an error, which is in *error. */
static struct store *ready(int *error)
{
	struct store *s = store_get();

	/* backend->ready() does not check its descriptor if the backend was ready before. */
	backend->check();
	*error = s ? backend->ready() : -ENOMEM;
	if (*error)
		return NULL;
	if (s->generation != backend->generation()) {
		lose_all(s);
		s->generation = backend->generation();
	}
	if (!s->window)
		*error = backend->claim((uintptr_t)s, &s->window);
	return *error ? NULL : s;
}

/* The same without a system call if all was ready before: see is_ready() in backend/backend.h. */
static struct store *ready_before(int *error)
{
	struct store *s = store_own;

	if (!s || !s->window || s->generation != backend->generation() || !backend->is_ready())
		return ready(error);
	*error = 0;
	return s;
}

/*
 * The kernel returns a physical address only to a process that has CAP_SYS_RAWIO at that
 * moment. After the process has dropped it, the pagemap still shows frames, because it
 * was opened with the former rights. A pinned page stays in that frame.
 */
static int physical(const struct store *s, uint64_t va, uint64_t *run, uint64_t *pa)
{
	int ret = backend->physical(s->window + va, run, pa);
	uint64_t entry;

	if (ret != -EPERM || !maps_entries(proc_pagemap(), va, &entry, 1) ||
	    !(entry & PAGEMAP_PRESENT) || PAGEMAP_HIDDEN(entry))
		return ret;
	*run = PIN_PAGE_SIZE;
	*pa = (entry & PAGEMAP_PFN) << PIN_PAGE_SHIFT;
	return 0;
}

/* The frames of the pages at [va, va + len), from the page table of the IOAS, as slots. */
static int frames_of(const struct store *s, uint64_t va, uint64_t len, unsigned int level,
		     uint64_t flags, uint64_t *pages)
{
	uint64_t end = va + len, run = len, pa;

	/* One slot is for a whole huge page. */
	if (level)
		end = va + PIN_PAGE_SIZE;
	for (; va < end; va += run) {
		int ret;

		/*
		 * The kernel walks as far as it is asked to. Asking for twice the last
		 * run avoids long walks over scattered frames.
		 */
		run = 2 * run < end - va ? 2 * run : end - va;
		ret = physical(s, va, &run, &pa);
		if (ret)
			return ret;
		for (uint64_t at = 0; at < run; at += PIN_PAGE_SIZE)
			*pages++ = flags | (pa + at) >> PIN_PAGE_SHIFT;
	}
	return 0;
}

/*
 * Enters one new map in the store, or removes the map on an error. Enters it only when
 * all its frames are known: no lookup may be answered by a pin that does not stay.
 */
static int enter_map(struct store *s, uint64_t va, uint64_t len, unsigned int level, uint64_t flags)
{
	static uint64_t pages[SLOTS];
	int ret = frames_of(s, va, len, level, flags | PAGEMAP_PRESENT, pages);

	if (!ret) {
		pages[0] |= SLOT_HEAD;
		store_stretch(s, va, va + len);
		ret = store_fill(s, va, level, pages, len >> shift_of(level));
	}
	if (ret)
		backend->unmap(s->window + va, len);
	else
		store_tally(s, 1);
	return ret;
}

void pin_end(void)
{
	if (!backend->end || !backend->is_ready())
		return;
	backend->end();
	if (store_own) {
		empty(store_own);
		store_own->generation = backend->generation();
	}
}

bool pin_release_gone(void)
{
	return backend->is_ready() && backend->release_gone();
}

/* Maps [va, va + len), which one map can cover, and enters it. */
static int add(struct store *s, uint64_t va, uint64_t len, unsigned int level, uint64_t flags)
{
	int ret = backend->map(va, len, s->window + va);

	/* Pins of processes that are gone count against the same limit. */
	if (ret == -ENOMEM && pin_release_gone())
		ret = backend->map(va, len, s->window + va);
	return ret ? ret : enter_map(s, va, len, level, flags);
}

/*
 * The bytes of [va, end) that one map can cover: it does not cross the border of a leaf,
 * or of a huge page.
 */
static uint64_t in_one_map(uint64_t va, uint64_t end, unsigned int level)
{
	uint64_t border = size_of(level ? level : 1);
	uint64_t part = border - (va & (border - 1));

	return part < end - va ? part : end - va;
}

static int add_all(uint64_t va, uint64_t len, unsigned int shift, uint64_t flags)
{
	unsigned int level = (shift - PIN_PAGE_SHIFT) / 9;
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

int pin_add(uint64_t va, uint64_t len, unsigned int shift, bool shared)
{
	return add_all(va, len, shift, shared ? SLOT_SHARED : 0);
}

int pin_add_ahead(uint64_t va, uint64_t len, bool shared)
{
	return add_all(va, len, PIN_PAGE_SHIFT, SLOT_AHEAD | (shared ? SLOT_SHARED : 0));
}

int pin_probe(uint64_t va, uint64_t *entries, size_t n)
{
	uint64_t end = n << PIN_PAGE_SHIFT, len, pa;
	int ret;
	struct store *s = ready_before(&ret);

	if (s)
		ret = backend->map(va, end, s->window + STORE_PROBED);
	if (ret)
		return ret;
	for (uint64_t at = 0; at < end && !ret; at += len) {
		len = end - at;
		ret = backend->physical(s->window + STORE_PROBED + at, &len, &pa);
		for (uint64_t i = 0; i < len && !ret; i += PIN_PAGE_SIZE) {
			uint64_t *entry = &entries[(at + i) >> PIN_PAGE_SHIFT];

			*entry = (*entry & ~PAGEMAP_PFN) | (pa + i) >> PIN_PAGE_SHIFT;
		}
	}
	backend->unmap(s->window + STORE_PROBED, end);
	return ret;
}

/*
 * Keeps [va, va + len) pinned, a part of a map that is about to be removed. The backend
 * can only remove whole maps, so the part gets another IOVA until then.
 */
static int save(struct store *s, uint64_t va, uint64_t len, uint64_t *iova)
{
	return len ? backend->copy_anywhere(s->window + va, len, iova) : 0;
}

static void restore(struct store *s, uint64_t va, uint64_t len, uint64_t iova)
{
	unsigned int level;
	slot_t *slot;

	if (!len)
		return;
	if (backend->copy(iova, len, s->window + va)) {
		/*
		 * No memory for the copy: to stay pinned for ever is better than not to
		 * be pinned.
		 */
		log_error("out of memory: %lu bytes stay pinned until the process ends", len);
		store_empty(s, va, 0, len >> PIN_PAGE_SHIFT);
		return;
	}
	backend->unmap(iova, len);
	slot = store_find(s, va, &level);
	slot_set(slot, SLOT_HEAD);
	store_tally(s, 1);
	renew_rest(s, va, len, va);
}

/*
 * Makes the slots of the n pages from va on differ from every entry, so that every lookup
 * of them takes the lock. pages[] gets their former values.
 */
static void set_aside(struct store *s, uint64_t va, unsigned int level, uint64_t *pages, size_t n)
{
	slot_t *slot = store_find(s, va, &level);

	for (size_t i = 0; i < n; i++)
		pages[i] = atomic_exchange(&slot[i], SLOT_ASIDE);
	/* A reader that got a former value read it while the page was still mapped there. */
	__sync_synchronize();
}

static void put_back(struct store *s, uint64_t va, unsigned int level, const uint64_t *pages,
		     size_t n)
{
	slot_t *slot = store_find(s, va, &level);

	for (size_t i = 0; i < n; i++)
		slot_put(&slot[i], pages[i]);
}

static void release(struct store *s, const struct pin *pin, uint64_t va, uint64_t end,
		    pin_stands *stands)
{
	static uint64_t pages[SLOTS];
	unsigned int level = level_of(pin);
	uint64_t pin_end = pin->va + pin->len;
	uint64_t head = va > pin->va ? va - pin->va : 0;
	uint64_t tail = pin_end > end ? pin_end - end : 0;
	uint64_t first = pin->va + head, len = pin->len - head - tail;
	uint64_t head_iova = 0, tail_iova = 0;
	size_t n = len >> pin->shift;

	/* A huge page is only unpinned as a whole. */
	if (level && (head || tail))
		return;
	set_aside(s, first, level, pages, n);
	if ((stands && stands(first, pin->shift, pages, n)) || save(s, pin->va, head, &head_iova)) {
		put_back(s, first, level, pages, n);
		return;
	}
	if (save(s, end, tail, &tail_iova)) {
		if (head)
			backend->unmap(head_iova, head);
		put_back(s, first, level, pages, n);
		return;
	}
	backend->unmap(s->window + pin->va, pin->len);
	store_tally(s, -1);
	store_empty(s, first, level, n);
	event_unpin(first, len);
	restore(s, pin->va, head, head_iova);
	restore(s, end, tail, tail_iova);
}

void pin_release(uint64_t va, uint64_t len, pin_stands *stands)
{
	uint64_t end = va + len;
	struct pin pin;

	bool any_huge = false;

	while (va < end && store_next(va, &pin) && pin.va < end) {
		any_huge |= pin.shift != PIN_PAGE_SHIFT;
		release(store_own, &pin, va, end, stands);
		va = pin.va + pin.len;
	}
	/*
	 * Unpins huge pages before the program's call returns, so that they are in their
	 * pool then.
	 */
	if (any_huge && backend->flush)
		backend->flush();
}

/*
 * Moves *va to the start of what pin has in [*va, end), and sets *part to the length.
 * False when that is only a part of a huge page.
 */
static bool cut_to(const struct pin *pin, uint64_t *va, uint64_t end, uint64_t *part)
{
	if (*va < pin->va)
		*va = pin->va;
	*part = (pin->va + pin->len < end ? pin->va + pin->len : end) - *va;
	return pin->shift == PIN_PAGE_SHIFT || *part == pin->len;
}

/*
 * Pins the pages that are pinned at va for address to, too, where nothing is pinned. They
 * belong to one pin and do not cross the border of a leaf at to. Needs no rights, because
 * the frames are known.
 */
static int copy_part(struct store *s, uint64_t va, uint64_t len, unsigned int level, uint64_t to)
{
	static uint64_t pages[SLOTS];
	size_t n = len >> shift_of(level);
	int ret = backend->copy(s->window + va, len, s->window + to);

	if (ret)
		return ret;
	for (size_t i = 0; i < n; i++)
		pages[i] = store_page(va + (i << shift_of(level))) & ~(SLOT_HEAD | SLOT_LEAVING);
	pages[0] |= SLOT_HEAD;
	store_stretch(s, to, to + len);
	ret = store_fill(s, to, level, pages, n);
	if (ret) {
		backend->unmap(s->window + to, len);
		return ret;
	}
	store_tally(s, 1);
	if (!level)
		renew_rest(s, to, len, va);
	return 0;
}

/* The address for a stray of len bytes; 0: there is no room. */
static uint64_t stray_place(struct store *s, uint64_t len, unsigned int level)
{
	uint64_t border = size_of(level ? level : 1), at = s->strays_end;

	if ((at & (border - 1)) + len > border)
		at = (at + border - 1) & ~(border - 1);
	return at + len <= STRAYS_END ? at : 0;
}

static int evict(struct store *s, const struct pin *pin, uint64_t va, uint64_t len)
{
	uint64_t to = stray_place(s, len, level_of(pin));
	int ret = to ? copy_part(s, va, len, level_of(pin), to) : -ENOSPC;

	if (ret)
		return ret;
	s->strays_end = to + len;
	s->strays += len >> PIN_PAGE_SHIFT;
	release(s, pin, va, va + len, NULL);
	return 0;
}

int pin_evict(uint64_t va, uint64_t len)
{
	uint64_t end = va + len, part;
	struct pin pin;
	int ret;
	struct store *s = ready_before(&ret);

	for (; s && !ret && va < end && store_next(va, &pin) && pin.va < end; va += part) {
		if (!cut_to(&pin, &va, end, &part)) {
			va = pin.va;
			part = pin.len;
		}
		ret = evict(s, &pin, va, part);
	}
	return ret;
}

void pin_drop_strays(uint64_t end)
{
	struct store *s = store_own;
	struct pin pin;

	backend->unmap(s->window + STORE_STRAYS, end - STORE_STRAYS);
	for (uint64_t va = STORE_STRAYS; store_next(va, &pin) && pin.va < end;
	     va = pin.va + pin.len) {
		store_empty(s, pin.va, level_of(&pin), pin.len >> pin.shift);
		store_tally(s, -1);
		s->strays -= pin.len >> PIN_PAGE_SHIFT;
	}
	if (!s->strays)
		s->strays_end = STORE_STRAYS;
}

/*
 * How many bytes from va on have the same pages pinned at to already (*same), or have
 * none of them pinned there.
 */
static uint64_t alike(uint64_t va, uint64_t len, unsigned int level, uint64_t to, bool *same)
{
	uint64_t at = 0;

	for (; at < len; at += size_of(level)) {
		uint64_t there = store_page(to + at);
		bool now = there && !((there ^ store_page(va + at)) & PAGEMAP_PFN);

		if (at && now != *same)
			break;
		*same = now;
	}
	return at;
}

int pin_copy(uint64_t va, uint64_t len, uint64_t to)
{
	uint64_t start = va, end = va + len, part;
	struct pin pin;
	int ret;
	struct store *s = ready_before(&ret);

	for (; s && !ret && va < end && store_next(va, &pin) && pin.va < end; va += part) {
		unsigned int level = level_of(&pin);
		uint64_t at;
		bool same = false;

		if (!cut_to(&pin, &va, end, &part))
			continue;
		at = to + (va - start);
		part = alike(va, in_one_map(at, at + part, level), level, at, &same);
		if (same)
			continue;
		ret = pin_evict(at, part);
		if (!ret)
			ret = copy_part(s, va, part, level, at);
		event_pin(at, part, size_of(level), ret);
	}
	return ret;
}
