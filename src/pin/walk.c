/* SPDX-License-Identifier: MIT */
#include "pin/walk.h"

#include <errno.h>

#include "base/proc.h"
#include "base/sys.h"
#include "pin/mapping.h"
#include "pin/maps.h"
#include "pin/pin.h"
#include "uapi/pagemap.h"

static uint64_t size_of_pins(const struct procmap_query *vma)
{
	return UINT64_C(1) << maps_pin_shift(vma->vma_page_size);
}

/* Walks the pages of one mapping in [va, end). */
static bool walk_present(uint64_t va, uint64_t end, uint64_t size, walk_see *see)
{
	static uint64_t entries[512];
	int fd = proc_pagemap();

	while (va < end) {
		size_t n = size > PIN_PAGE_SIZE ? 1 : (end - va) >> PIN_PAGE_SHIFT;

		if (n > 512)
			n = 512;
		if (!maps_entries(fd, va, entries, n))
			return false;
		if (!maps_tell(va, entries, n, false))
			return false;
		if (!see(va, entries, n, size))
			return false;
		va += n * size;
	}
	return true;
}

/* Before Linux 6.7, whose PAGEMAP_SCAN skips what is not present. */
#define READ_MOST (UINT64_C(1) << 38) /* bytes of a mapping; entries of 0.5 GiB */

static bool read_mapping(const struct procmap_query *vma, walk_see *see)
{
	static uint64_t entries[512];
	const uint64_t most = sizeof(entries) / sizeof(*entries) * PIN_PAGE_SIZE;
	uint64_t size = size_of_pins(vma);

	if (size > PIN_PAGE_SIZE)
		return walk_present(vma->vma_start, vma->vma_end, size, see);
	if (vma->vma_end - vma->vma_start > READ_MOST)
		return false;
	for (uint64_t va = vma->vma_start; va < vma->vma_end; va += size) {
		size_t n, i = 0;

		size = vma->vma_end - va < most ? vma->vma_end - va : most;
		n = size >> PIN_PAGE_SHIFT;
		if (!maps_entries(proc_pagemap(), va, entries, n) || !see(va, NULL, 0, 0))
			return false;
		while (i < n && !(entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)))
			i++;
		if (i < n && !walk_present(va, va + size, PIN_PAGE_SIZE, see))
			return false;
	}
	return true;
}

static bool walk_mapping(const struct procmap_query *vma, walk_see *see)
{
	static struct page_region regions[64];
	struct pm_scan_arg scan = {
		.size = sizeof(scan),
		.end = vma->vma_end,
		.walk_end = vma->vma_start,
		.vec = (uintptr_t)regions,
		.vec_len = 64,
		/* a page that is being migrated is not present */
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT,
	};
	int n;

	while (scan.walk_end < scan.end) {
		scan.start = scan.walk_end;
		n = sys_ioctl(proc_pagemap(), PAGEMAP_SCAN, &scan);
		if (n == -ENOTTY)
			return read_mapping(vma, see);
		if (n < 0 || scan.walk_end <= scan.start)
			return false;
		for (int i = 0; i < n; i++)
			if (!walk_present(regions[i].start, regions[i].end, size_of_pins(vma), see))
				return false;
	}
	return true;
}

/*
 * Adds a mapping to a hash of all mappings, which differs when one came, went or changed
 * its size. Then a thread may have moved pages from an address that the walk had not
 * reached to one that it had passed.
 */
static uint64_t sum_of(uint64_t sum, const struct procmap_query *vma)
{
	sum = (sum ^ vma->vma_start) * UINT64_C(0x9e3779b97f4a7c15);
	sum ^= sum >> 29;
	return (sum ^ vma->vma_end) * UINT64_C(0x9e3779b97f4a7c15);
}

static int walk_mappings(walk_see *see, uint64_t *sum)
{
	struct procmap_query vma;
	int ret;

	*sum = 0;
	for (uint64_t va = 0;; va = vma.vma_end) {
		ret = mapping_ask(va, PROCMAP_QUERY_COVERING_OR_NEXT_VMA, &vma);
		if (ret)
			return ret == -ENOENT ? 0 : ret;
		if (see &&
		    !(see(vma.vma_start, NULL, 0, size_of_pins(&vma)) && walk_mapping(&vma, see)))
			return -EAGAIN;
		*sum = sum_of(*sum, &vma);
	}
}

bool walk(walk_see *see)
{
	uint64_t sum, then;

	mapping_forget();
	if (walk_mappings(see, &sum))
		return false;
	mapping_forget();
	return !walk_mappings(NULL, &then) && sum == then;
}
