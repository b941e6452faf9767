/* SPDX-License-Identifier: MIT */
/* Memory that the program gives back, moves, or maps over: the pins go with it. */
#include "base/event.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/sys.h"
#include "pin/pin.h"
#include "door/memory.h"
#include "pin/maps.h"
#include "door/observe.h"
#include "pin/deferred.h"

/* The kernel rounds lengths up. What stays of a page keeps the page. */
static uint64_t page_up(uint64_t len)
{
	return (len + PIN_PAGE_SIZE - 1) & ~(PIN_PAGE_SIZE - 1);
}

/* Moves the pins of shared memory to other mappings of it, where there are any. */
static void keep_aliases(uint64_t va, uint64_t to, struct maps_leaving *leaving)
{
	while (va < to) {
		uint64_t len = to - va, alias;
		int ret = 0;

		if (maps_find_alias(va, &len, leaving, &alias))
			ret = pin_copy(va, len, alias);
		if (ret) {
			event_failure("cannot keep memory pinned for its other mapping", alias,
				      ret);
			log_error("cannot keep memory at 0x%lx pinned for its other mapping at "
				  "0x%lx (%e)",
				  va, alias, ret);
		}
		va += len;
	}
}

static void leave(uint64_t addr, uint64_t len)
{
	uint64_t start = page_up(addr), end = page_up(addr + len);
	struct maps_leaving leaving = {.from = start, .to = end, .last = UINT64_MAX};
	struct pin pin;

	for (uint64_t at = start; at < end && store_next(at, &pin) && pin.va < end;
	     at = pin.va + pin.len)
		if (pin.shared)
			keep_aliases(pin.va > start ? pin.va : start,
				     pin.va + pin.len < end ? pin.va + pin.len : end, &leaving);
}

void memory_leaving(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	leave(addr, len);
	lock_leave(saved);
}

void memory_left(uintptr_t addr, size_t len)
{
	uint64_t begin = event_start();
	struct lock_saved saved = lock_enter();
	uint64_t start = page_up(addr), end = page_up(addr + len);

	pin_release(start, end - start, maps_stand);
	deferred_forget(start, end - start);
	lock_leave(saved);
	observe_released(addr, len, begin);
}

size_t memory_detaching(uintptr_t addr)
{
	struct lock_saved saved = lock_enter();
	size_t len = maps_each_attached(addr, leave);

	lock_leave(saved);
	return len;
}

/* Other memory can have been mapped over parts of the segment. */
void memory_detached(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();
	uint64_t end = addr + len;
	struct pin pin;

	for (uint64_t at = addr; at < end && store_next(at, &pin) && pin.va < end;
	     at = pin.va + pin.len)
		for (uint64_t va = pin.va; va < pin.va + pin.len; va += UINT64_C(1) << pin.shift)
			if (!maps_length(va))
				pin_release(va, UINT64_C(1) << pin.shift, maps_stand);
	lock_leave(saved);
}

/* Releases what is pinned in the range and is of shared memory, or is not. */
static void release_only(uint64_t va, uint64_t len, bool shared, pin_stands *stands)
{
	uint64_t end = va + len;
	struct pin pin;

	for (uint64_t at = va; at < end && store_next(at, &pin) && pin.va < end;
	     at = pin.va + pin.len) {
		uint64_t from = pin.va > va ? pin.va : va;
		uint64_t to = pin.va + pin.len < end ? pin.va + pin.len : end;

		if (pin.shared == shared)
			pin_release(from, to - from, stands);
	}
}

void memory_discarded(uintptr_t addr, size_t len, bool at_once)
{
	uint64_t begin = event_start();
	struct lock_saved saved = lock_enter();

	release_only(addr, page_up(len), false, at_once ? maps_stand : NULL);
	lock_leave(saved);
	observe_released(addr, len, begin);
}

static void cannot_move(uint64_t to, int error)
{
	event_failure("cannot keep memory pinned that mremap() moved", to, error);
	log_error("cannot keep memory pinned that mremap() moved to 0x%lx (%e)", to, error);
}

struct memory_move memory_moving(uintptr_t from, size_t len)
{
	struct lock_saved saved = lock_enter();
	struct memory_move move = {.held = NULL};

	move.error = pin_hold(from, page_up(len), &move.held);
	lock_leave(saved);
	return move;
}

void memory_moved(struct memory_move move, uintptr_t from, uintptr_t to, size_t len)
{
	uint64_t begin = event_start();
	struct lock_saved saved = lock_enter();

	if (from != to) {
		int ret = pin_place(move.held, from, to);

		if (ret || move.error)
			cannot_move(to, ret ? ret : move.error);
		pin_release(from, page_up(len), maps_stand);
		deferred_moved(from, to, page_up(len));
	}
	pin_let_go(move.held);
	lock_leave(saved);
	if (from != to)
		observe_released(from, len, begin);
}

/* Private copies of a file's pages outlive a hole in the file. */
static void punched(uint64_t va, uint64_t len)
{
	release_only(va, len, true, maps_stand);
}

void memory_removed(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	maps_each_alias(addr, page_up(len), punched);
	lock_leave(saved);
}

/* Whole pages only: of others the kernel clears a part. */
static void cut_out(int fd, uint64_t start, uint64_t end, void (*what)(uint64_t va, uint64_t len))
{
	struct lock_saved saved;
	struct stat st;

	start = page_up(start);
	end &= ~(PIN_PAGE_SIZE - 1);
	if (!store_count() || sys_fstat(fd, &st) || start >= end)
		return;
	saved = lock_enter();
	maps_each_of_file(st.st_dev, st.st_ino, start, end - start, what);
	lock_leave(saved);
}

void memory_punched(int fd, off_t offset, off_t len)
{
	cut_out(fd, (uint64_t)offset, (uint64_t)(offset + len), punched);
}

bool memory_truncating(int fd, off_t len)
{
	struct stat st;

	return store_count() && !sys_fstat(fd, &st) && st.st_size > len;
}

static void cut_off(uint64_t va, uint64_t len)
{
	pin_release(va, len, maps_stand);
}

void memory_truncated(int fd, off_t len)
{
	cut_out(fd, (uint64_t)len, INT64_MAX, cut_off);
}
