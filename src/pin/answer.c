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
#include "pin/renew.h"
#include "pin/sweep.h"

/*
 * False when the memory is gone by now, or the program itself may not read it, as with
 * PROT_NONE, which keeps the pages. Pages of device memory are not present in the first
 * place (walk_page_test() in mm/pagewalk.c).
 */
static bool has_page(uint64_t va, uint64_t *entry)
{
	*entry = PAGEMAP_PRESENT | PAGEMAP_PFN;
	maps_entries(proc_pagemap(), va, entry, 1);
	return *entry & PAGEMAP_PRESENT && maps_can_read(va);
}

/*
 * The result for pages that could not be pinned, the first of them at va. 0: the program
 * gets the kernel's own entries.
 */
static int give_up(uint64_t va, int error)
{
	uint64_t entry;
	bool is_memory = has_page(va, &entry);

	/* answer() is called again after a survey. */
	if (error == -EAGAIN)
		return error;
	if (error == -EFAULT && !is_memory)
		return 0;
	complain(va, entry & PAGEMAP_PRESENT ? entry & PAGEMAP_PFN : 0, error);
	/* Without the right to see frames the kernel's own entries have none. */
	if ((error == -EPERM || error == -EACCES) && PAGEMAP_HIDDEN(entry))
		return 0;
	return settings.unpinned == UNPINNED_FALLBACK ? 0 : error;
}

/*
 * Pins of memory that is gone count against the limit, too. To find them is costly, so
 * this is done when the number of failures is a power of 2.
 */
static bool make_room(void)
{
	static unsigned int failures;

	if (ahead_release())
		return true;
	failures++;
	return !(failures & (failures - 1)) && sweep_all();
}

/*
 * Pins the pages in the range that are not pinned. The others stay pinned throughout,
 * because another thread may have looked them up.
 */
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

/*
 * Pins the range. Tries again after it has made room, and when the first attempt shows
 * that the program closed the iommufd by a raw system call.
 */
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

/*
 * A device takes memory that io_uring refuses. If none is to be had, io_uring takes memory
 * where its write shows.
 */
static int pin_page(uint64_t va, uint64_t entry, unsigned int shift, bool shared)
{
	uint64_t size = UINT64_C(1) << shift;
	int ret, error;

	if (backend->seen)
		backend->seen(va, size, entry);
	ret = pin_now(va, size, shift, shared);
	if (ret != -EFAULT || !has_page(va, &entry))
		return ret;
	error = renew_all(true);
	if (error == -EAGAIN)
		return error;
	return error == -EOPNOTSUPP ? ret : pin_now(va, size, shift, shared);
}

static int pin_huge(uint64_t va, uint64_t entry, unsigned int shift, bool shared)
{
	uint64_t size = UINT64_C(1) << shift;
	int ret;

	if (!PAGEMAP_HIDDEN(entry))
		entry -= (va & (size - 1)) >> PIN_PAGE_SHIFT;
	va &= ~(size - 1);
	/* Smaller pages that were pinned there have moved or are gone. */
	ret = pin_evict(va, size);
	if (!ret)
		ret = pin_page(va, entry, shift, shared);
	return ret ? give_up(va, ret) : 0;
}

/* If a range fails with -EFAULT, one page can be the reason: pins them one by one. */
static int pin_small(uint64_t va, const uint64_t *entries, size_t n, bool shared)
{
	int ret = n == 1 ? pin_page(va, entries[0], PIN_PAGE_SHIFT, shared)
			 : pin_now(va, n << PIN_PAGE_SHIFT, PIN_PAGE_SHIFT, shared);

	if (!ret)
		return 0;
	if (ret != -EFAULT || n == 1)
		return give_up(va, ret);
	ret = 0;
	for (size_t i = 0; i < n && !ret; i++, va += PIN_PAGE_SIZE)
		if (!store_pfn(va))
			ret = pin_small(va, &entries[i], 1, shared);
	return ret;
}

/* True when entry names the page that is pinned for va. */
static bool is_pinned(uint64_t va, uint64_t entry)
{
	return entry & PAGEMAP_PRESENT && !PAGEMAP_HIDDEN(entry) &&
	       (entry & PAGEMAP_PFN) == store_pfn(va);
}

/*
 * Examines again n pinned pages, at most 512, whose entries do not show that they are
 * still at their address. The entries may be stale, because they were read without the
 * lock. Pins of pages that have left become strays. Returns the number of pages examined,
 * or a negative errno.
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

/* How many leading pages are pinned although their entries do not say so. */
static size_t in_doubt(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	for (; i < n && i < 512 && entries[i] & PAGEMAP_PRESENT; i++, va += PIN_PAGE_SIZE)
		if (!store_pfn(va) || is_pinned(va, entries[i]))
			break;
	return i;
}

/* True where huge pages can begin after small ones. */
static bool may_get_huge(uint64_t va)
{
	return !(va & ((UINT64_C(1) << PIN_PMD_SHIFT) - 1));
}

/*
 * How many of the n pages from va on one pin can have: present, small, of one kind, and
 * not pinned yet.
 */
static size_t alike(uint64_t va, const uint64_t *entries, size_t n, uint64_t shared)
{
	size_t vacant = store_vacant(va, n), i = 1;

	if (entries[0] & PAGEMAP_FILE && shared >> PIN_PAGE_SHIFT < n)
		n = shared ? shared >> PIN_PAGE_SHIFT : 1;
	if (n > vacant)
		n = vacant;
	for (va += PIN_PAGE_SIZE; i < n; i++, va += PIN_PAGE_SIZE)
		if (((entries[i] ^ entries[0]) &
		     (PAGEMAP_FILE | PAGEMAP_PRESENT | PAGEMAP_GUARDED)) ||
		    (may_get_huge(va) && maps_page_shift(va, entries[i]) != PIN_PAGE_SHIFT))
			break;
	return i;
}

/* Pins n pages from va on, or as many as one pin can have. *run is their number. */
static int pin_first(uint64_t va, const uint64_t *entries, size_t n, size_t *run)
{
	/*
	 * In a private mapping of a file, pinning copies the page, and nobody else has
	 * the copy.
	 */
	uint64_t shared = entries[0] & PAGEMAP_FILE ? maps_shared_length(va) : 0;
	unsigned int shift = maps_page_shift(va, entries[0]);
	uint64_t size = UINT64_C(1) << shift;

	if (shift != PIN_PAGE_SHIFT) {
		*run = (size - (va & (size - 1))) >> PIN_PAGE_SHIFT;
		return pin_huge(va, entries[0], shift, shared);
	}
	*run = alike(va, entries, n, shared);
	return pin_small(va, entries, *run, shared);
}

/*
 * How many leading pages the program itself may not read before it answers userfaultfd. It
 * gets the kernel's own entries, as with PROT_NONE.
 */
static size_t guarded(uint64_t va, const uint64_t *entries, size_t n)
{
	uint64_t end;
	size_t i = 0;

	if (!(entries[0] & PAGEMAP_GUARDED))
		return 0;
	end = maps_read_guard(va);
	while (i < n && va < end && entries[i] & PAGEMAP_GUARDED) {
		va += PIN_PAGE_SIZE;
		i++;
	}
	return i;
}

/*
 * Pins those of the n pages from va on that are present and not pinned yet. After an
 * error those that it has pinned stay pinned.
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
		run = guarded(at, entries + i, n - i);
		ret = run ? 0 : pin_first(at, entries + i, n - i, &run);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Pins the page of a deferred lookup. False when it cannot be pinned, for whatever
 * reason, or is no longer at the physical address that the program has read.
 */
static bool holds(const struct deferred *deferred)
{
	uint64_t entry;

	if (!maps_entries(proc_pagemap(), deferred->va, &entry, 1) || !(entry & PAGEMAP_PRESENT))
		return false;
	return !pin_pages(deferred->va, &entry, 1) && store_pfn(deferred->va) == deferred->pfn;
}

int answer_settle(void)
{
	static unsigned int moved; /* the process that holds a wrong address */
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

/* Pins the pages that are not pinned yet. */
static int pin_missing(uint64_t va, const uint64_t *entries, size_t n)
{
	int ret;

	/* The child's own descriptors would pin its parent's memory, and are closed with it. */
	if (!backend->is_ready() && process_is_guest()) {
		fdtab_refuse_guest();
		return settings.unpinned == UNPINNED_FALLBACK ? 0 : -ENOMEM;
	}
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

int answer_entries(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t start = store_current(va, entries, n);

	return start == n ? 0
			  : pin_missing(va + (start << PIN_PAGE_SHIFT), entries + start, n - start);
}

/* True when entry names a page that is not pinned yet and can be pinned now. */
static bool is_first(uint64_t va, uint64_t entry)
{
	return entry & PAGEMAP_PRESENT && !PAGEMAP_HIDDEN(entry) && backend->is_ready() &&
	       !store_pfn(va);
}

/*
 * The first lookup of a page proves its descriptor: if the entry names the frame in which
 * the page is then pinned, the entry is right, whichever file it was read from. fd is
 * only checked if the entry has to change, or the lookup has to fail. If fd is another
 * file, the pin stays, because another thread may have looked up the page meanwhile.
 * known is what fd was when last seen, or NULL if it was not verified yet.
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
	/* It is unknown whose pages these are. */
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

/* Pinning has copied the page. Returns the entry of the copy, with its own flags. */
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
