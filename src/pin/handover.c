/* SPDX-License-Identifier: MIT */
#include "pin/handover.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>

#include "backend/backend.h"
#include "base/event.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "base/user.h"
#include "pin/ahead.h"
#include "pin/answer.h"
#include "pin/maps.h"
#include "pin/pin.h"
#include "pin/sweep.h"
#include "uapi/syscall.h"

/* A pinned page. va and pfn of a huge page are those of its first base page. */
struct page {
	uint64_t va;
	uint64_t pfn;
};

/* In memory that the child of a fork() inherits. */
static struct page *pages; /* NULL: there was no memory for them */
static size_t count;

#define TOGETHER 512 /* pages */

static size_t count_pages(void)
{
	size_t n = 0;
	struct pin pin;

	for (uint64_t va = 0; store_next(va, &pin); va = pin.va + pin.len)
		n += pin.len >> pin.shift;
	return n;
}

static void note(const struct pin *pin)
{
	for (uint64_t at = 0; at < pin->len; at += UINT64_C(1) << pin->shift)
		pages[count++] = (struct page){pin->va + at, store_pfn(pin->va + at)};
}

/* fork() copies private pages that are still pinned. */
static void release_private(void)
{
	struct pin pin;

	for (uint64_t va = 0; store_next(va, &pin); va = pin.va + pin.len)
		if (!pin.shared)
			pin_release(pin.va, pin.len, NULL);
	if (backend->flush)
		backend->flush();
}

/* Faults in pages that have no entry. */
static void map_missing(uint64_t va, const uint64_t *entries, size_t run)
{
	char byte;

	for (size_t i = 0; i < run; i++, va += PIN_PAGE_SIZE)
		if (!(entries[i] & PAGEMAP_PRESENT))
			user_read(&byte, (const void *)va, 1);
}

/*
 * A shared page without an entry counts as mapped where it was looked up. If other memory
 * is mapped there by now, an entry shows that, and sweep_all() looks for the page elsewhere.
 */
static void map_shared(void)
{
	static uint64_t entries[TOGETHER];
	struct pin pin;

	for (uint64_t va = 0; store_next(va, &pin); va = pin.va + pin.len) {
		size_t run = pin.shift == PIN_PAGE_SHIFT ? pin.len >> PIN_PAGE_SHIFT : 1;

		if (pin.shared && maps_entries(proc_pagemap(), pin.va, entries, run))
			map_missing(pin.va, entries, run);
	}
}

void handover_prepare(void)
{
	size_t n;
	struct pin pin;

	ahead_release();
	map_shared();
	sweep_all();
	n = count_pages();
	if (!n)
		return;
	pages = sys_mmap(n * sizeof(*pages), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	if (sys_is_error(pages)) {
		pages = NULL;
		count = n;
		return;
	}
	for (uint64_t va = 0; store_next(va, &pin); va = pin.va + pin.len)
		note(&pin);
	release_private();
}

/*
 * fork() has left private pages to both processes. As each page is pinned, the kernel gives
 * it to this process, unless something but a page table refers to it. In a large folio that
 * has a page table entry for each page, the pin of one page does, and all others would be
 * copied (__wp_can_reuse_large_anon_folio() in mm/memory.c). So these pages are made this
 * process's own before any of them is pinned. Kernels before 5.14 cannot: the comparison
 * finds the copies. Shared pages have stayed pinned.
 */
static void own_run(const struct page *page, size_t run)
{
	for (size_t i = 0, n; i < run; i += n + 1) {
		n = 0;
		while (i + n < run && !store_pfn(page[i + n].va))
			n++;
		if (n)
			sys_call(SYS_madvise, (long)page[i].va, (long)(n << PIN_PAGE_SHIFT),
				 UAPI_MADV_POPULATE_WRITE, 0, 0, 0);
	}
}

/* The number of adjacent small pages from this one on, at most TOGETHER. */
static size_t run_from(const struct page *page, size_t left)
{
	size_t run = 1;

	while (run < left && run < TOGETHER && page[run].va == page[run - 1].va + PIN_PAGE_SIZE)
		run++;
	return run;
}

/*
 * Only pages with an entry get pinned, and fork() copies no page tables of shared memory
 * (vma_needs_copy() in mm/memory.c).
 */
static void pin_run(const struct page *page, size_t run)
{
	static uint64_t entries[TOGETHER];

	if (!maps_entries(proc_pagemap(), page->va, entries, run))
		return;
	map_missing(page->va, entries, run);
	if (maps_entries(proc_pagemap(), page->va, entries, run))
		answer_entries(page->va, entries, run);
}

static void say_others(size_t others, size_t all, uint64_t first)
{
	event_failure("daemon() did not keep a page", first, -EFAULT);
	log_error("in the background: of %lu pages that were looked up before, %lu are not the "
		  "same in the new process, the first at 0x%lx: their physical addresses are "
		  "wrong from now on; look them up again",
		  (unsigned long)all, (unsigned long)others, first);
}

/* The number of pages that are not the noted ones. *first is the address of one. */
static size_t settle(uint64_t *first)
{
	size_t others = pages ? 0 : count;

	for (size_t i = 0, run; pages && i < count; i += run) {
		run = run_from(&pages[i], count - i);
		own_run(&pages[i], run);
	}
	for (size_t i = 0, run; pages && i < count; i += run) {
		run = run_from(&pages[i], count - i);
		pin_run(&pages[i], run);
		for (size_t j = i; j < i + run; j++)
			if (store_pfn(pages[j].va) != pages[j].pfn && !others++)
				*first = pages[j].va;
	}
	if (pages)
		sys_munmap(pages, count * sizeof(*pages));
	pages = NULL;
	count = 0;
	return others;
}

static bool settle_or_say(void)
{
	size_t all = count;
	uint64_t first = 0;
	size_t others = settle(&first);

	if (others)
		say_others(others, all, first);
	return !others;
}

void handover_settle(void)
{
	if (count)
		settle_or_say();
}

bool handover_part(uint64_t *first)
{
	if (!count || !settle(first))
		return false;
	release_private();
	return true;
}

/*
 * Pinning a page that fork() shared copies it if anything else refers to it:
 * wp_can_reuse_anon_folio() in mm/memory.c. One such reference is the batch in which
 * another processor keeps new pages before they enter an LRU list. move_pages() drains
 * the batches of all processors before it moves pages (do_pages_move() in mm/migrate.c);
 * here it has none to move. If the call is refused, the comparison finds the copies.
 */
static void drain_batches(void)
{
	int no_node;

	sys_call(SYS_move_pages, 0, 0, 0, (long)&no_node, 0, MPOL_MF_MOVE);
}

/* The kernel closes the parent's files one after the other. */
#define GONE_TRIES 100

/* If a page cannot be pinned again, the parent's pins stay, and keep it where it is. */
void handover_succeed(void)
{
	if (!count)
		return;
	drain_batches();
	if (!settle_or_say() || !backend->succeed)
		return;
	backend->succeed();
	for (int tries = 0; !pin_release_gone() && tries < GONE_TRIES; tries++)
		sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}
