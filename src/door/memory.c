/* SPDX-License-Identifier: MIT */
/* Memory that the program unmaps, moves or maps over. */
#include "base/event.h"
#include "base/lock.h"
#include "base/sys.h"
#include "pin/pin.h"
#include "door/memory.h"
#include "pin/maps.h"
#include "door/observe.h"
#include "pin/deferred.h"
#include "pin/follow.h"
#include "pin/mark.h"

/* The kernel rounds lengths up. A page that is also used below addr stays. */
static uint64_t page_up(uint64_t len)
{
	return (len + PIN_PAGE_SIZE - 1) & ~(PIN_PAGE_SIZE - 1);
}

/*
 * Pages of a file took the addresses of others, which the file may not show any more once
 * the program's call is made.
 */
static bool any_pushed_out;

static void leaving(uintptr_t addr, size_t len, const struct maps_file *over)
{
	struct lock_saved saved = lock_enter();
	uint64_t start = page_up(addr), end = page_up(addr + len);
	size_t strays = store_strays();

	follow_unmapping(start, end - start, over);
	if (over && store_strays() > strays)
		any_pushed_out = true;
	deferred_expect(start, end - start, DEFERRED_LEAVES);
	lock_leave(saved);
}

void memory_leaving(uintptr_t addr, size_t len)
{
	leaving(addr, len, NULL);
}

void memory_leaving_for(uintptr_t addr, size_t len, int fd, off_t pos)
{
	struct maps_file over = {.va = addr, .offset = (uint64_t)pos, .len = page_up(len)};
	struct stat st;

	if (sys_fstat(fd, &st)) {
		leaving(addr, len, NULL);
		return;
	}
	over.dev = st.st_dev;
	over.ino = st.st_ino;
	leaving(addr, len, &over);
}

void memory_leaving_for_part(uintptr_t addr, size_t len, ino_t ino, uint64_t pos)
{
	struct maps_file over = {.va = addr, .offset = pos, .len = page_up(len)};
	struct lock_saved saved = lock_enter();
	bool found = maps_file_in(addr, len, ino, &over);

	lock_leave(saved);
	leaving(addr, len, found ? &over : NULL);
}

void memory_left(uintptr_t addr, size_t len)
{
	uint64_t begin = event_start();
	struct lock_saved saved = lock_enter();
	uint64_t start = page_up(addr), end = page_up(addr + len);

	pin_release(start, end - start, follow_stand);
	deferred_left(start, end - start);
	if (any_pushed_out || mark_is_due(0))
		mark();
	any_pushed_out = false;
	lock_leave(saved);
	observe_released(addr, len, begin);
}

static void detaching(uint64_t va, uint64_t len)
{
	follow_unmapping(va, len, NULL);
	deferred_expect(va, len, DEFERRED_LEAVES);
}

size_t memory_detaching(uintptr_t addr)
{
	struct lock_saved saved = lock_enter();
	size_t len = maps_each_attached(addr, detaching);

	lock_leave(saved);
	return len;
}

/* Parts of the segment may have been mapped over before: releases unmapped pages only. */
void memory_detached(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();
	uint64_t end = addr + len;
	struct pin pin;

	for (uint64_t at = addr; at < end && store_next(at, &pin) && pin.va < end;
	     at = pin.va + pin.len)
		for (uint64_t va = pin.va; va < pin.va + pin.len; va += UINT64_C(1) << pin.shift)
			if (!maps_length(va))
				pin_release(va, UINT64_C(1) << pin.shift, follow_stand);
	deferred_left(addr, len);
	lock_leave(saved);
}

/* Marks the private pages in the range; shared ones keep their contents. */
static void expect_discard(uint64_t va, uint64_t len)
{
	for (uint64_t end = va + len, part; deferred_tells_unpinned && va < end; va += part) {
		uint64_t shared = maps_shared_length(va);

		part = shared ? shared : maps_length(va);
		if (!part)
			part = PIN_PAGE_SIZE;
		if (part > end - va)
			part = end - va;
		if (!shared)
			deferred_expect(va, part, DEFERRED_LEAVES);
	}
}

void memory_discarding(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	follow_staying(addr, page_up(len));
	expect_discard(addr, page_up(len));
	lock_leave(saved);
}

void memory_discarded(uintptr_t addr, size_t len)
{
	uint64_t begin = event_start();
	struct lock_saved saved = lock_enter();

	follow_discarded(addr, page_up(len));
	deferred_left(addr, page_up(len));
	lock_leave(saved);
	observe_released(addr, len, begin);
}

void memory_moving(uintptr_t from, size_t len)
{
	struct lock_saved saved = lock_enter();

	follow_staying(from, page_up(len));
	deferred_expect(from, page_up(len), DEFERRED_MOVES);
	lock_leave(saved);
}

void memory_moved(uintptr_t from, uintptr_t to, size_t len)
{
	uint64_t begin = event_start();
	struct lock_saved saved;

	if (from == to)
		return;
	saved = lock_enter();
	follow_moved(from, to, page_up(len));
	deferred_moved(from, to, page_up(len));
	lock_leave(saved);
	observe_released(from, len, begin);
}

static void file_leaving(uint64_t va, uint64_t len)
{
	follow_leaving(va, len);
	deferred_expect(va, len, DEFERRED_LEAVES);
}

/* A hole in the file does not affect private copies of its pages. */
static void punched(uint64_t va, uint64_t len)
{
	uint64_t end = va + len;
	struct pin pin;

	for (uint64_t at = va; at < end && store_next(at, &pin) && pin.va < end;
	     at = pin.va + pin.len) {
		uint64_t from = pin.va > va ? pin.va : va;
		uint64_t to = pin.va + pin.len < end ? pin.va + pin.len : end;

		if (pin.shared)
			pin_release(from, to - from, follow_stand);
	}
	deferred_left(va, len);
}

void memory_removing(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	maps_each_alias(addr, page_up(len), file_leaving);
	lock_leave(saved);
}

void memory_removed(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	maps_each_alias(addr, page_up(len), punched);
	lock_leave(saved);
}

static bool any_told(void)
{
	return memory_told(NULL, SIZE_MAX);
}

/* Whole pages only: the kernel zeroes partial ones in place. */
static void cut_out(int fd, uint64_t start, uint64_t end, void (*what)(uint64_t va, uint64_t len))
{
	struct lock_saved saved;
	struct stat st;

	start = page_up(start);
	end &= ~(PIN_PAGE_SIZE - 1);
	if (!any_told() || sys_fstat(fd, &st) || start >= end)
		return;
	saved = lock_enter();
	maps_each_of_file(st.st_dev, st.st_ino, start, end - start, what);
	lock_leave(saved);
}

void memory_punching(int fd, off_t offset, off_t len)
{
	cut_out(fd, (uint64_t)offset, (uint64_t)(offset + len), file_leaving);
}

void memory_punched(int fd, off_t offset, off_t len)
{
	cut_out(fd, (uint64_t)offset, (uint64_t)(offset + len), punched);
}

bool memory_truncating(int fd, off_t len)
{
	struct stat st;

	if (!any_told() || sys_fstat(fd, &st) || st.st_size <= len)
		return false;
	cut_out(fd, (uint64_t)len, INT64_MAX, file_leaving);
	return true;
}

static void cut_off(uint64_t va, uint64_t len)
{
	pin_release(va, len, follow_stand);
	deferred_left(va, len);
}

void memory_truncated(int fd, off_t len)
{
	cut_out(fd, (uint64_t)len, INT64_MAX, cut_off);
}

static bool any_lost;

/* It is no longer known which pages these were. */
static void lost(uint64_t va, uint64_t len)
{
	if (store_any(va, len) && !pin_evict(va, len))
		any_lost = true;
	deferred_expect(va, len, DEFERRED_LEAVES);
	deferred_left(va, len);
}

void memory_emptied(int fd)
{
	struct lock_saved saved;

	if (!any_told())
		return;
	cut_out(fd, 0, INT64_MAX, lost);
	saved = lock_enter();
	if (any_lost)
		mark();
	any_lost = false;
	lock_leave(saved);
}
