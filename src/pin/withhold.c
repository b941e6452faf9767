/* SPDX-License-Identifier: MIT */
#include "pin/withhold.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/format.h"
#include "base/limit.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"
#include "pin/store.h"

struct range {
	uint64_t start, end; /* start 0: not a private mapping */
};

/* The number of pinned private huge pages of this size, including strays. */
static size_t count_private(unsigned int shift)
{
	size_t n = 0;
	struct pin pin;

	for (uint64_t va = 0;
	     store_next(va, &pin) || (va < STORE_STRAYS && store_next(STORE_STRAYS, &pin));
	     va = pin.va + pin.len)
		if (pin.shift == shift && !pin.shared)
			n += pin.len >> shift;
	return n;
}

/*
 * A counter of the pool, or -1 when unknown. A negative counter becomes 0: the number of
 * reserved pages can be negative while a page that was unmapped is still pinned
 * (free_huge_folio() in mm/hugetlb.c).
 */
static long of_pool(unsigned int shift, const char *what)
{
	char path[96], text[32];
	ssize_t len;
	long number;
	int fd;

	format(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%lukB/%s",
	       1UL << (shift - 10), what);
	fd = limit_open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	len = sys_read(fd, text, sizeof(text) - 1);
	sys_close(fd);
	text[len > 0 ? len : 0] = '\0';
	number = (long)strtoul(text, NULL, 10);
	if (len <= 0)
		return -1;
	return number < 0 ? 0 : number;
}

/*
 * Free pages that are reserved are for others, and a pool that may grow may find no
 * memory: alloc_hugetlb_folio() in mm/hugetlb.c. If the counters are unknown there is no
 * room.
 */
static bool has_room(unsigned int shift, size_t pages)
{
	long unused = pages ? of_pool(shift, "free_hugepages") : 0;
	long reserved = pages ? of_pool(shift, "resv_hugepages") : 0;

	return !pages || (unused >= 0 && reserved >= 0 && unused - reserved >= (long)pages);
}

static bool has_flag(const char *flags, const char *flag)
{
	const char *at = strstr(flags, flag);

	return at && at[-1] == ' ' && (at[2] == ' ' || !at[2]);
}

static bool is_to_be_withheld(const struct range *range, const char *flags)
{
	return range->start && has_flag(flags, "ht") && !has_flag(flags, "dc") &&
	       (store_strays() || store_any(range->start, range->end - range->start));
}

/*
 * Takes a line of smaps. The first line of a mapping is from show_map_vma() in
 * fs/proc/task_mmu.c. The last one has its flags, from show_smap_vma_flags(). No child
 * gets a mapping with "dc" anyway.
 */
static bool withhold(const char *line, void *arg)
{
	static struct range range;
	char *behind;
	uint64_t number = strtoul(line, &behind, 16);
	bool *any = arg;

	if (*behind == '-') {
		range.end = strtoul(behind + 1, &behind, 16);
		range.start = behind[4] == 'p' ? number : 0;
	} else if (!strncmp(line, "VmFlags:", 8) && is_to_be_withheld(&range, line)) {
		if (!sys_madvise((void *)range.start, range.end - range.start, MADV_DONTFORK))
			*any = true;
	}
	return false;
}

bool withhold_is_due(void)
{
	return !has_room(PIN_PMD_SHIFT, count_private(PIN_PMD_SHIFT)) ||
	       !has_room(PIN_PUD_SHIFT, count_private(PIN_PUD_SHIFT));
}

void withhold_before_fork(void)
{
	static bool said;
	bool any = false;

	if (!withhold_is_due())
		return;
	lines_each(proc_open("self/smaps", O_RDONLY), withhold, &any);
	if (any && !said) {
		said = true;
		log_warn("fork(): %lu huge pages are pinned, and their pool has no room for "
			 "copies: children go without that memory, and must not touch it; "
			 "reserve as many more huge pages, or use shared ones",
			 (unsigned long)(count_private(PIN_PMD_SHIFT) +
					 count_private(PIN_PUD_SHIFT)));
	}
}
