/* SPDX-License-Identifier: MIT */
#include "pin/answer.h"

#include <errno.h>

#include "backend/backend.h"
#include "base/event.h"
#include "base/fdtab.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/sys.h"
#include "pin/ahead.h"
#include "pin/complain.h"
#include "pin/deferred.h"
#include "pin/maps.h"
#include "pin/pagemap.h"
#include "pin/pin.h"
#include "pin/sweep.h"

/*
 * What comes of pages that could not be pinned, the first of them at va. 0:
 * the program gets the kernel's own entries.
 */
static int give_up(uint64_t va, int error)
{
	uint64_t entry = PAGEMAP_PRESENT | PAGEMAP_PFN;

	/* To be done again after a survey: answer(). */
	if (error == -EAGAIN)
		return error;
	maps_entries(proc_pagemap(), va, &entry, 1);
	/*
	 * No memory: gone by now, or not for the program itself to read, as with
	 * PROT_NONE, which keeps its pages. What a device has there is not
	 * present in the first place (walk_page_test() in mm/pagewalk.c).
	 */
	if (error == -EFAULT && (!(entry & PAGEMAP_PRESENT) || !maps_can_read(va)))
		return 0;
	complain(va, entry & PAGEMAP_PRESENT ? entry & PAGEMAP_PFN : 0, error);
	/* Without the right to see frames the kernel's own answer has none in it. */
	if ((error == -EPERM || error == -EACCES) && PAGEMAP_HIDDEN(entry))
		return 0;
	return settings.unpinned == UNPINNED_FALLBACK ? 0 : error;
}

/* Pins of memory that is gone count against the limit, too. Costly: not at each failure. */
static bool make_room(void)
{
	static unsigned int failures;

	if (ahead_release())
		return true;
	failures++;
	return !(failures & (failures - 1)) && sweep_all();
}

/* What of it is pinned stays: another thread may have been told. */
static int pin_rest(uint64_t va, uint64_t len, unsigned int shift, bool shared)
{
	uint64_t end = va + len, part;
	int ret = 0;

	for (; !ret && va < end; va += part ? part : PIN_PAGE_SIZE) {
		part = store_vacant(va, (end - va) >> PIN_PAGE_SHIFT) << PIN_PAGE_SHIFT;
		if (part)
			ret = pin_add(va, part, shift, shared);
	}
	return ret;
}

/* Once more, if the first attempt shows that the iommufd was closed behind the library's back. */
static int pin_now(uint64_t va, uint64_t len, unsigned int shift, bool shared)
{
	int ret = pin_add(va, len, shift, shared);

	if (ret == -ENOMEM && make_room())
		ret = pin_rest(va, len, shift, shared);
	if (!ret || backend->check())
		return ret;
	ret = backend->ready();
	return ret ? ret : pin_add(va, len, shift, shared);
}

static int pin_huge(uint64_t va, unsigned int shift, bool shared)
{
	uint64_t size = UINT64_C(1) << shift;

	int ret;

	va &= ~(size - 1);
	/* What was pinned of smaller pages there is elsewhere, or gone. */
	ret = pin_evict(va, size);
	if (!ret)
		ret = pin_now(va, size, shift, shared);
	return ret ? give_up(va, ret) : 0;
}

/* -EFAULT for a range can be one bad page in it. */
static int pin_small(uint64_t va, size_t n, bool shared)
{
	int ret = pin_now(va, n << PIN_PAGE_SHIFT, PIN_PAGE_SHIFT, shared);

	if (!ret)
		return 0;
	if (ret != -EFAULT || n == 1)
		return give_up(va, ret);
	ret = 0;
	for (size_t i = 0; i < n && !ret; i++, va += PIN_PAGE_SIZE)
		if (!store_pfn(va))
			ret = pin_small(va, 1, shared);
	return ret;
}

/* True when the page that is pinned for va is the one that entry names. */
static bool is_pinned(uint64_t va, uint64_t entry)
{
	return entry & PAGEMAP_PRESENT && !PAGEMAP_HIDDEN(entry) &&
	       (entry & PAGEMAP_PFN) == store_pfn(va);
}

/*
 * Looks at n pinned pages again of which the entries do not tell that they are
 * where they were, 512 at most: the entries can be stale, too, read before the lock
 * was had. Those that are not become strays. Returns how many were looked at.
 */
static int check_pinned(uint64_t va, size_t n)
{
	static uint64_t now[512];
	size_t first;

	maps_read(va, now, n, true);
	for (size_t i = 0; i < n; i++) {
		int ret;

		for (first = i; i < n && !is_pinned(va + (i << PIN_PAGE_SHIFT), now[i]); i++)
			;
		ret = i == first ? 0
				 : pin_evict(va + (first << PIN_PAGE_SHIFT),
					     (i - first) << PIN_PAGE_SHIFT);
		if (ret)
			return ret;
	}
	return (int)n;
}

/* Leading pages that are pinned, and whose entries do not say so. */
static size_t in_doubt(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	for (; i < n && i < 512 && entries[i] & PAGEMAP_PRESENT; i++, va += PIN_PAGE_SIZE)
		if (!store_pfn(va) || is_pinned(va, entries[i]))
			break;
	return i;
}

/* Where the page at va can be the first of huge ones, behind a small one. */
static bool may_get_huge(uint64_t va)
{
	return !(va & ((UINT64_C(1) << PIN_PMD_SHIFT) - 1));
}

/* How many of the n pages from va on one pin can have: present, small, of one kind, new. */
static size_t alike(uint64_t va, const uint64_t *entries, size_t n, uint64_t shared)
{
	size_t vacant = store_vacant(va, n), i = 1;

	if (entries[0] & PAGEMAP_FILE && shared >> PIN_PAGE_SHIFT < n)
		n = shared ? shared >> PIN_PAGE_SHIFT : 1;
	if (n > vacant)
		n = vacant;
	for (va += PIN_PAGE_SIZE; i < n; i++, va += PIN_PAGE_SIZE)
		if (((entries[i] ^ entries[0]) & (PAGEMAP_FILE | PAGEMAP_PRESENT)) ||
		    (may_get_huge(va) && maps_page_shift(va, entries[i]) != PIN_PAGE_SHIFT))
			break;
	return i;
}

/* Pins n pages from va on, or as many as one pin can have; *run of them. */
static int pin_first(uint64_t va, const uint64_t *entries, size_t n, size_t *run)
{
	/* Of a private mapping of a file the pin is on a copy that nobody else has. */
	uint64_t shared = entries[0] & PAGEMAP_FILE ? maps_shared_length(va) : 0;
	unsigned int shift = maps_page_shift(va, entries[0]);
	uint64_t size = UINT64_C(1) << shift;

	if (shift != PIN_PAGE_SHIFT) {
		*run = (size - (va & (size - 1))) >> PIN_PAGE_SHIFT;
		return pin_huge(va, shift, shared);
	}
	*run = alike(va, entries, n, shared);
	return pin_small(va, *run, shared);
}

/*
 * Pins the n present pages from va on that are not. Stops at an error: what
 * is pinned by then stays.
 */
static int pin_pages(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t checked = 0, run;

	for (size_t i = 0; i < n; i += run) {
		uint64_t at = va + (i << PIN_PAGE_SHIFT);
		int ret;

		run = 1;
		if (!(entries[i] & PAGEMAP_PRESENT))
			continue;
		if (i >= checked) {
			ret = (int)in_doubt(at, entries + i, n - i);
			if (ret)
				ret = check_pinned(at, (size_t)ret);
			if (ret < 0)
				return give_up(at, ret);
			checked = i + (size_t)ret;
		}
		if (store_asked(at))
			continue;
		ret = pin_first(at, entries + i, n - i, &run);
		if (ret)
			return ret;
	}
	return 0;
}

/* Whatever keeps the page from being pinned, its address was told and has to hold. */
static bool holds(const struct deferred *deferred)
{
	uint64_t entry;

	if (!maps_entries(proc_pagemap(), deferred->va, &entry, 1) || !(entry & PAGEMAP_PRESENT))
		return false;
	return !pin_pages(deferred->va, &entry, 1) && store_pfn(deferred->va) == deferred->pfn;
}

int answer_settle(void)
{
	static unsigned int moved; /* the process that holds an address that is wrong */
	struct deferred deferred;

	while (deferred_any(&deferred)) {
		if (!holds(&deferred)) {
			moved = process_generation();
			event_failure("the page moved before it could be pinned", deferred.va,
				      -EFAULT);
			log_error("the page at 0x%lx moved before it could be pinned: its physical "
				  "address 0x%lx, looked up while every device was in use, is "
				  "wrong; start the program again",
				  deferred.va, deferred.pfn << PIN_PAGE_SHIFT);
		}
		deferred_drop(deferred.va);
	}
	return moved == process_generation() ? -EFAULT : 0;
}

/* Pins what is not yet pinned. */
static int pin_missing(uint64_t va, const uint64_t *entries, size_t n)
{
	int ret;

	ret = backend->ready();
	if (ret == -EBUSY) {
		ret = deferred_add(va, entries, n);
		return ret ? give_up(va, ret) : 0;
	}
	if (ret)
		return give_up(va, ret);
	answer_settle();
	sweep(n);
	ret = pin_pages(va, entries, n);
	if (!ret)
		ahead_follow(va, n);
	return ret;
}

/* The same, but for those in front that are already what they have to be. */
int answer_entries(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t start = store_current(va, entries, n);

	return start == n ? 0
			  : pin_missing(va + (start << PIN_PAGE_SHIFT), entries + start, n - start);
}

/* True when entry names a page of which nothing is pinned yet, where it can be. */
static bool is_first(uint64_t va, uint64_t entry)
{
	return entry & PAGEMAP_PRESENT && !PAGEMAP_HIDDEN(entry) && backend->is_ready() &&
	       !store_pfn(va);
}

/*
 * The first lookup of a page proves its descriptor: an entry that names the frame which
 * the page turns out to have when it is pinned is true wherever it was read. Only if it is
 * to be changed, or be refused, fd is looked at. What was pinned for another file stays so,
 * for another thread may have been told of it meanwhile. known is what fd was when last
 * seen; NULL: nobody has looked yet.
 */
static int answer_first(int fd, const struct object *known, uint64_t va, const uint64_t *entry,
			bool *served)
{
	int ret = pin_missing(va, entry, 1);
	struct object *object;

	*served = true;
	if (!ret && store_pfn(va) == (*entry & PAGEMAP_PFN))
		return 0;
	object = fdtab_get(fd);
	*served = known ? object == known : pagemap_is_served(object);
	if (*served)
		return ret;
	return !object && fdtab_is_expected(fd) ? -ENOMEM : 0;
}

static int answer_any(int fd, uint64_t va, const uint64_t *entries, size_t n, bool *served)
{
	struct object *object = fdtab_get(fd);

	*served = pagemap_is_served(object);
	if (*served)
		return answer_entries(va, entries, n);
	/* It cannot be told whose pages these are. */
	return !object && fdtab_is_expected(fd) ? -ENOMEM : 0;
}

int answer(int fd, uint64_t va, const uint64_t *entries, size_t n, uint64_t *frames, bool *served)
{
	struct object *known = fdtab_known(fd);
	int ret;

	if (n == 1 && is_first(va, *entries) &&
	    (known ? pagemap_is_served(known) : fdtab_is_expected(fd)))
		ret = answer_first(fd, known, va, entries, served);
	else
		ret = answer_any(fd, va, entries, n, served);
	if (ret)
		*served = false;
	else if (*served)
		answer_frames(va, frames, n);
	return ret;
}

/* Pinning copied the page: its flags are those of the copy. */
static uint64_t copy_of(int fd, uint64_t entry, uint64_t pfn, off_t pos)
{
	uint64_t again;

	if (sys_pread(fd, &again, sizeof(again), pos) == (ssize_t)sizeof(again) &&
	    again & PAGEMAP_PRESENT)
		entry = again;
	return (entry & ~PAGEMAP_PFN) | pfn;
}

size_t answer_frames(uint64_t va, uint64_t *frames, size_t n)
{
	lock_assert_held();
	if (n > ANSWER_FRAMES)
		n = ANSWER_FRAMES;
	for (size_t i = 0; i < n; i++)
		frames[i] = store_pfn(va + (i << PIN_PAGE_SHIFT));
	return n;
}

size_t answer_fill(int fd, uint64_t *entries, const uint64_t *frames, size_t n, off_t pos)
{
	size_t changed = 0;

	for (size_t i = 0; i < n; i++, pos += (off_t)sizeof(*entries)) {
		uint64_t pfn = frames[i];

		if (entries[i] & PAGEMAP_PRESENT && pfn && (entries[i] & PAGEMAP_PFN) != pfn) {
			entries[i] = copy_of(fd, entries[i], pfn, pos);
			changed++;
		}
	}
	return changed;
}
