/* SPDX-License-Identifier: MIT */
#include "pin/renew.h"

#include <errno.h>

#include "backend/backend.h"
#include "base/event.h"
#include "base/log.h"
#include "base/proc.h"
#include "pin/ahead.h"
#include "pin/maps.h"
#include "pin/sweep.h"

static bool are_there(uint64_t va, size_t n)
{
	static uint64_t entries[SLOTS];

	return maps_entries(proc_pagemap(), va, entries, n) && store_differs(va, entries, n) == n;
}

/* 0: the frames that by has mapped at iova are those pinned at va; -EXDEV: they are not. */
static int compare(const struct backend *by, uint64_t iova, uint64_t va, uint64_t len)
{
	uint64_t run, pa;
	int ret;

	for (uint64_t at = 0; at < len; at += run) {
		run = len - at;
		ret = by->physical(iova + at, &run, &pa);
		if (ret)
			return ret;
		for (uint64_t i = 0; i < run; i += PIN_PAGE_SIZE)
			if ((store_page(va + at + i) & PAGEMAP_PFN) != (pa + i) >> PIN_PAGE_SHIFT)
				return -EXDEV;
	}
	return 0;
}

void renew_rest(struct store *s, uint64_t va, uint64_t len, uint64_t from)
{
	uint64_t iova = s->window + STORE_PROBED;
	size_t n = len >> PIN_PAGE_SHIFT;

	if (!backend->parts_hold_all || va >= STORE_STRAYS)
		return;
	if (!are_there(from, n))
		from = va;
	if ((from == va && !are_there(va, n)) || backend->map(from, len, iova))
		return;
	/* The unmap frees the memory that the copy needs. */
	if (!compare(backend, iova, va, len) && !backend->unmap(s->window + va, len))
		backend->copy(iova, len, s->window + va);
	backend->unmap(iova, len);
}

static int renew(const struct backend *by, uint64_t iova, const struct pin *pin)
{
	int ret = by->map(pin->va, pin->len, iova);

	/* One slot is for a whole huge page. */
	if (!ret)
		ret = compare(by, iova, pin->va,
			      pin->shift == PIN_PAGE_SHIFT ? pin->len : PIN_PAGE_SIZE);
	if (ret)
		event_failure("cannot be pinned by the device's page table", pin->va, ret);
	if (ret == -EXDEV)
		log_error("the memory at 0x%lx is not what was looked up there before: the "
			  "former pages stay pinned; look the address up again",
			  pin->va);
	return ret;
}

/* Of pages that are no longer at their address there is nothing to map. */
static int renew_each(struct store *s, const struct backend *by)
{
	uint64_t window, former = s->window;
	struct pin pin;
	int ret;

	ahead_release();
	sweep_all();
	ret = store_strays() ? -EXDEV : by->claim((uintptr_t)s, &window);
	if (ret)
		return ret;
	for (uint64_t va = 0; !ret && store_next(va, &pin); va = pin.va + pin.len)
		ret = renew(by, window + pin.va, &pin);
	if (ret) {
		by->unmap(window, STORE_LIMIT);
		return ret;
	}
	s->window = window;
	s->generation = by->generation();
	backend->unmap(former, STORE_LIMIT);
	return 0;
}

int renew_all(bool lend)
{
	const struct backend *by;
	int ret = backend_successor(lend, &by);

	if (!ret && store_count()) {
		ret = renew_each(store_own, by);
		if (ret)
			log_info("io_uring keeps pinned what was looked up before a device was "
				 "open: it cannot be pinned by the device's page table (%e)",
				 ret);
	}
	if (!ret) {
		backend_succeed();
		event_renew(store_count());
	} else if (lend && ret != -EAGAIN && ret != -EOPNOTSUPP) {
		backend_stay();
	}
	return ret;
}
