/* SPDX-License-Identifier: MIT */
/* Memory that the program gives back, moves, or maps over: the pins go with it. */
#include "base/lock.h"
#include "base/log.h"
#include "base/sys.h"
#include "iommufd/pin.h"
#include "legacy/legacy.h"
#include "legacy/maps.h"
#include "legacy/pagemap.h"

#define PAGEMAP_EXCLUSIVE (UINT64_C(1) << 56) /* no other mapping anywhere */

static uint64_t page_up(uint64_t len)
{
	return (len + PIN_PAGE_SIZE - 1) & ~(PIN_PAGE_SIZE - 1);
}

/* Moves the pin of a shared page to another mapping of it, where there is one. */
static void keep_alias(uint64_t va, uint64_t size, uint64_t from, uint64_t to)
{
	uint64_t entry, alias;

	if (!maps_entries(va, &entry, 1) || entry & PAGEMAP_EXCLUSIVE)
		return;
	if (maps_find_alias(va, from, to, &alias) && pin_copy(va, size, alias))
		log_error("cannot keep the page at 0x%lx pinned for its other mapping at 0x%lx", va,
			  alias);
}

void legacy_leaving(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();
	uint64_t end = addr + page_up(len);
	struct pin pin;

	for (uint64_t at = addr; at < end && pin_next(at, &pin) && pin.va < end;
	     at = pin.va + pin.len) {
		uint64_t size = UINT64_C(1) << pin.shift;

		if (!pin.shared)
			continue;
		for (uint64_t va = pin.va; va < pin.va + pin.len; va += size)
			if (va + size > addr && va < end)
				keep_alias(va, size, addr, end);
	}
	lock_leave(saved);
}

void legacy_left(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	pin_release(addr, page_up(len));
	pagemap_forget(addr, page_up(len));
	lock_leave(saved);
}

size_t legacy_mapping_length(uintptr_t addr)
{
	struct lock_saved saved = lock_enter();
	size_t len = maps_length(addr);

	lock_leave(saved);
	return len;
}

/* Releases what is pinned in the range and is of shared memory, or is not. */
static void release_only(uint64_t va, uint64_t len, bool shared)
{
	uint64_t end = va + len;
	struct pin pin;

	for (uint64_t at = va; at < end && pin_next(at, &pin) && pin.va < end;
	     at = pin.va + pin.len) {
		uint64_t from = pin.va > va ? pin.va : va;
		uint64_t to = pin.va + pin.len < end ? pin.va + pin.len : end;

		if (pin.shared == shared)
			pin_release(from, to - from);
	}
}

void legacy_discarded(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	release_only(addr, page_up(len), false);
	lock_leave(saved);
}

void legacy_moved(uintptr_t from, uintptr_t to, size_t len)
{
	struct lock_saved saved = lock_enter();

	if (pin_copy(from, page_up(len), to))
		log_error("cannot keep memory pinned that mremap() moved to 0x%lx", to);
	pin_release(from, page_up(len));
	pagemap_forget(from, page_up(len));
	lock_leave(saved);
}

/* Private copies of a file's pages outlive a hole in the file. */
static void punched(uint64_t va, uint64_t len)
{
	release_only(va, len, true);
}

void legacy_removed(uintptr_t addr, size_t len)
{
	struct lock_saved saved = lock_enter();

	maps_each_alias(addr, page_up(len), punched);
	lock_leave(saved);
}

static void cut_out(int fd, off_t offset, off_t len, void (*what)(uint64_t va, uint64_t len))
{
	struct lock_saved saved;
	struct stat st;

	if (!pin_count() || sys_fstat(fd, &st) || len <= 0)
		return;
	saved = lock_enter();
	maps_each_of_file(st.st_dev, st.st_ino, (uint64_t)offset, (uint64_t)len, what);
	lock_leave(saved);
}

void legacy_punched(int fd, off_t offset, off_t len)
{
	cut_out(fd, offset, len, punched);
}

void legacy_truncated(int fd, off_t len)
{
	cut_out(fd, len, INT64_MAX - len, pin_release);
}
