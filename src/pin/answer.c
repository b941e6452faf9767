/* SPDX-License-Identifier: MIT */
#include "pin/answer.h"

#include <errno.h>

#include "base/event.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/sys.h"
#include "iommufd/ioas.h"
#include "iommufd/lend.h"
#include "pin/complain.h"
#include "pin/deferred.h"
#include "pin/maps.h"
#include "pin/pin.h"
#include "pin/sweep.h"

/*
 * What comes of pages that could not be pinned, the first of them at va. 0:
 * the program gets the kernel's own entries.
 */
static int give_up(uint64_t va, int error)
{
	uint64_t entry = PAGEMAP_PRESENT | PAGEMAP_PFN;

	/* To be done again after a survey: answer_pin(). */
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

/* The size of the page at va as a shift. entry is what the kernel says of it. */
static unsigned int page_shift(uint64_t va, uint64_t entry)
{
	uint64_t in_huge = (UINT64_C(1) << (PIN_PMD_SHIFT - PIN_PAGE_SHIFT)) - 1;
	uint64_t size;

	/* A huge page is aligned in both address spaces: mostly nothing needs to be asked. */
	if (!PAGEMAP_HIDDEN(entry) && ((va >> PIN_PAGE_SHIFT) ^ entry) & in_huge)
		return PIN_PAGE_SHIFT;
	size = maps_page_size(va);
	if (size == UINT64_C(1) << PIN_PUD_SHIFT)
		return PIN_PUD_SHIFT;
	return size == UINT64_C(1) << PIN_PMD_SHIFT ? PIN_PMD_SHIFT : PIN_PAGE_SHIFT;
}

/* Once more, if the first attempt shows that the iommufd was closed behind the library's back. */
static int pin_now(uint64_t va, uint64_t len, unsigned int shift, bool shared)
{
	int ret = pin_add(va, len, shift, shared);

	if (!ret || ioas_check())
		return ret;
	ret = lend_page_table();
	return ret ? ret : pin_add(va, len, shift, shared);
}

static int pin_huge(uint64_t va, unsigned int shift, bool shared)
{
	uint64_t size = UINT64_C(1) << shift;

	int ret;

	va &= ~(size - 1);
	/* What was pinned of smaller pages there is no longer mapped. */
	pin_release(va, size, NULL);
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

/*
 * True when va is pinned and still the page that it was. A stale pin is
 * dropped. The entry can be stale, too: it was read before the lock was had.
 */
static bool is_pinned(uint64_t va, uint64_t entry)
{
	uint64_t pfn = store_pfn(va);
	uint64_t now = entry & PAGEMAP_PFN;

	if (!pfn)
		return false;
	if (PAGEMAP_HIDDEN(entry) && pin_probe(va, &now))
		return false;
	if (now == pfn)
		return true;
	pin_replace(va & ~(PIN_PAGE_SIZE - 1), PIN_PAGE_SIZE, maps_stand);
	return store_pfn(va);
}

/*
 * Pins the n present pages from va on that are not. Stops at an error: what
 * is pinned by then stays.
 */
static int pin_pages(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	while (i < n) {
		uint64_t at = va + (i << PIN_PAGE_SHIFT);
		uint64_t shared = 0;
		unsigned int shift;
		size_t run;
		int ret;

		if (!(entries[i] & PAGEMAP_PRESENT) || is_pinned(at, entries[i])) {
			i++;
			continue;
		}
		/* Of a private mapping of a file the pin is on a copy that nobody else has. */
		if (entries[i] & PAGEMAP_FILE)
			shared = maps_shared_length(at);
		shift = page_shift(at, entries[i]);
		if (shift != PIN_PAGE_SHIFT) {
			ret = pin_huge(at, shift, shared);
			run = ((UINT64_C(1) << shift) - (at & ((UINT64_C(1) << shift) - 1))) >>
			      PIN_PAGE_SHIFT;
		} else {
			for (run = 1; i + run < n && entries[i + run] & PAGEMAP_PRESENT; run++)
				if ((entries[i + run] & PAGEMAP_FILE) !=
					    (entries[i] & PAGEMAP_FILE) ||
				    (entries[i] & PAGEMAP_FILE &&
				     run >= shared >> PIN_PAGE_SHIFT) ||
				    is_pinned(at + (run << PIN_PAGE_SHIFT), entries[i + run]) ||
				    page_shift(at + (run << PIN_PAGE_SHIFT), entries[i + run]) !=
					    PIN_PAGE_SHIFT)
					break;
			ret = pin_small(at, run, shared);
		}
		if (ret)
			return ret;
		i += run;
	}
	return 0;
}

/*
 * Puts the frames of the pinned pages into the entries that were read at pos.
 * Returns how many it had to change.
 */
static size_t fill(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos)
{
	size_t changed = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t pfn = store_pfn(va + (i << PIN_PAGE_SHIFT));
		uint64_t again;

		if (!(entries[i] & PAGEMAP_PRESENT) || !pfn || (entries[i] & PAGEMAP_PFN) == pfn)
			continue;
		/* Pinning copied the page: its flags are those of the copy. */
		if (sys_pread(fd, &again, sizeof(again), pos + (off_t)(i * sizeof(again))) ==
			    (ssize_t)sizeof(again) &&
		    again & PAGEMAP_PRESENT)
			entries[i] = again;
		entries[i] = (entries[i] & ~PAGEMAP_PFN) | pfn;
		changed++;
	}
	return changed;
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
				  "address 0x%lx, told while every device was in use, is wrong; "
				  "start the program again",
				  deferred.va, deferred.pfn << PIN_PAGE_SHIFT);
		}
		deferred_drop(deferred.va);
	}
	return moved == process_generation() ? -EFAULT : 0;
}

/* Pins what is not yet pinned, and puts the frames into the entries. */
int answer_pin(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed)
{
	int ret = lend_page_table();

	if (ret == -EBUSY) {
		ret = deferred_add(va, entries, n);
		return ret ? give_up(va, ret) : 0;
	}
	if (ret)
		return give_up(va, ret);
	answer_settle();
	sweep(n);
	ret = pin_pages(va, entries, n);
	*changed = fill(fd, va, entries, n, pos);
	return ret;
}

/* The same, but for those in front that are already what they have to be. */
int answer_entries(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed)
{
	size_t start;

	maps_wait(fd, va, entries, n);
	start = store_current(va, entries, n);
	if (start == n)
		return 0;
	return answer_pin(fd, va + (start << PIN_PAGE_SHIFT), entries + start, n - start,
			  pos + (off_t)(start * sizeof(*entries)), changed);
}

bool answer_is_first(uint64_t va, uint64_t entry)
{
	return entry & PAGEMAP_PRESENT && !PAGEMAP_HIDDEN(entry) && !store_pfn(va) &&
	       ioas_has_table();
}
