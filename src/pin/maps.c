/* SPDX-License-Identifier: MIT */
#include "pin/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/limit.h"
#include "base/lines.h"
#include "base/proc.h"
#include "base/sys.h"
#include "pin/mapping.h"
#include "pin/pin.h"

static bool query(uint64_t va, uint64_t flags, struct procmap_query *vma)
{
	return !mapping_ask(va, flags, vma);
}

static bool next_file_mapping(uint64_t va, struct procmap_query *vma)
{
	return query(va, PROCMAP_QUERY_COVERING_OR_NEXT_VMA | PROCMAP_QUERY_FILE_BACKED_VMA, vma);
}

static bool next_shared_mapping(uint64_t va, struct procmap_query *vma)
{
	return query(va,
		     PROCMAP_QUERY_COVERING_OR_NEXT_VMA | PROCMAP_QUERY_FILE_BACKED_VMA |
			     PROCMAP_QUERY_VMA_SHARED,
		     vma);
}

uint64_t maps_page_size(uint64_t va)
{
	struct procmap_query vma;

	return query(va, 0, &vma) ? vma.vma_page_size : PIN_PAGE_SIZE;
}

unsigned int maps_pin_shift(uint64_t size)
{
	if (size == UINT64_C(1) << PIN_PUD_SHIFT)
		return PIN_PUD_SHIFT;
	return size == UINT64_C(1) << PIN_PMD_SHIFT ? PIN_PMD_SHIFT : PIN_PAGE_SHIFT;
}

unsigned int maps_page_shift(uint64_t va, uint64_t entry)
{
	uint64_t in_huge = (UINT64_C(1) << (PIN_PMD_SHIFT - PIN_PAGE_SHIFT)) - 1;

	/* A huge page is aligned in virtual and physical memory, so mostly no query is needed. */
	if (!PAGEMAP_HIDDEN(entry) && ((va >> PIN_PAGE_SHIFT) ^ entry) & in_huge)
		return PIN_PAGE_SHIFT;
	return maps_pin_shift(maps_page_size(va));
}

uint64_t maps_length(uint64_t va)
{
	struct procmap_query vma;

	return query(va, 0, &vma) ? vma.vma_end - va : 0;
}

uint64_t maps_shared_length(uint64_t va)
{
	struct procmap_query vma;

	return query(va, 0, &vma) && vma.vma_flags & PROCMAP_QUERY_VMA_SHARED ? vma.vma_end - va
									      : 0;
}

bool maps_can_read(uint64_t va)
{
	struct procmap_query vma;

	return !query(va, 0, &vma) || vma.vma_flags & PROCMAP_QUERY_VMA_READABLE;
}

struct guard {
	uint64_t va, end;
	bool is_here;
};

/*
 * The lines of a mapping, from show_smap() in fs/proc/task_mmu.c: its addresses first, its
 * flags last, of which "ur" is VM_UFFD_RWP. True at the end of the mapping at va.
 */
static bool has_guard(const char *line, void *arg)
{
	struct guard *guard = arg;
	char *at;
	uint64_t start = strtoul(line, &at, 16);

	if (*at == '-') {
		guard->end = strtoul(at + 1, NULL, 16);
		guard->is_here = start <= guard->va && guard->va < guard->end;
	}
	if (!guard->is_here || strncmp(line, "VmFlags:", 8))
		return false;
	if (!strstr(line, " ur"))
		guard->end = 0;
	return true;
}

uint64_t maps_read_guard(uint64_t va)
{
	struct guard guard = {.va = va};

	return lines_each(limit_open("/proc/self/smaps", O_RDONLY | O_CLOEXEC), has_guard, &guard)
		       ? guard.end
		       : 0;
}

bool maps_has_file(dev_t dev, ino_t ino)
{
	struct procmap_query vma;

	for (uint64_t va = 0; next_file_mapping(va, &vma); va = vma.vma_end)
		if (vma.inode == ino && vma.dev_major == major(dev) && vma.dev_minor == minor(dev))
			return true;
	return false;
}

static void cut(uint64_t *len, uint64_t limit)
{
	if (*len > limit)
		*len = limit;
}

static bool is_of(const struct procmap_query *vma, const struct maps_file *file)
{
	return vma->inode == file->ino && vma->dev_major == major(file->dev) &&
	       vma->dev_minor == minor(file->dev);
}

/* The address at which the page of the file would be that is at va now. */
static uint64_t moved(const struct maps_file *file, const struct procmap_query *vma, uint64_t va)
{
	return file->va + (vma->vma_offset + (va - vma->vma_start) - file->offset);
}

uint64_t maps_shown_at(const struct maps_file *file, uint64_t va, uint64_t *len)
{
	struct procmap_query vma;
	uint64_t at;

	if (!query(va, PROCMAP_QUERY_FILE_BACKED_VMA, &vma))
		return 0;
	cut(len, vma.vma_end - va);
	if (!is_of(&vma, file))
		return 0;
	at = moved(file, &vma, va) - file->va;
	if (at >= file->len) {
		/* The file part begins that many bytes after this page, or ends before it. */
		cut(len, -at);
		return 0;
	}
	cut(len, file->len - at);
	return file->va + at;
}

int64_t maps_shift(const struct maps_file *file)
{
	struct procmap_query vma;

	for (uint64_t at = file->va;
	     next_file_mapping(at, &vma) && vma.vma_start < file->va + file->len; at = vma.vma_end)
		if (is_of(&vma, file))
			return (int64_t)(moved(file, &vma, vma.vma_start) - vma.vma_start);
	return 0;
}

bool maps_file_in(uint64_t va, uint64_t len, ino_t ino, struct maps_file *file)
{
	struct procmap_query vma;

	for (uint64_t at = va; next_file_mapping(at, &vma) && vma.vma_start < va + len;
	     at = vma.vma_end) {
		if (ino && vma.inode != ino)
			continue;
		file->dev = makedev(vma.dev_major, vma.dev_minor);
		file->ino = vma.inode;
		return true;
	}
	return false;
}

static bool next_private_view(uint64_t va, struct procmap_query *vma)
{
	while (next_file_mapping(va, vma)) {
		if (!(vma->vma_flags & PROCMAP_QUERY_VMA_SHARED))
			return true;
		va = vma->vma_end;
	}
	return false;
}

/*
 * The next file mapping outside of the range that is unmapped. Stores the first MAPS_KEPT
 * shared mappings for later searches, but no private ones.
 */
static const struct procmap_query *next_staying(struct maps_search *search,
						struct maps_leaving *leaving)
{
	static struct procmap_query kept[MAPS_KEPT], other;
	struct procmap_query *vma = &other;

	if (search->private) {
		if (!next_private_view(search->at, vma))
			return NULL;
	} else {
		if (search->i < MAPS_KEPT)
			vma = &kept[search->i++];
		if (vma == &other || search->i > leaving->kept) {
			if (search->at >= leaving->last)
				return NULL;
			if (!next_shared_mapping(search->at, vma)) {
				leaving->last = search->at;
				return NULL;
			}
			leaving->kept = search->i;
		}
	}
	search->at = vma->vma_end;
	if (search->at >= leaving->from && search->at < leaving->to)
		search->at = leaving->to;
	return vma;
}

bool maps_next_alias(uint64_t va, uint64_t *len, struct maps_leaving *leaving,
		     struct maps_search *search, uint64_t *alias)
{
	uint64_t from = leaving->from, to = leaving->to;
	const struct procmap_query *vma;
	struct procmap_query self;
	uint64_t offset;

	if (!query(va, PROCMAP_QUERY_FILE_BACKED_VMA, &self))
		return false;
	cut(len, self.vma_end - va);
	offset = self.vma_offset + (va - self.vma_start);
	while ((vma = next_staying(search, leaving))) {
		uint64_t end = vma->vma_offset + (vma->vma_end - vma->vma_start);

		if (vma->inode != self.inode || vma->dev_major != self.dev_major ||
		    vma->dev_minor != self.dev_minor || offset >= end)
			continue;
		if (offset < vma->vma_offset) {
			cut(len, vma->vma_offset - offset);
			continue;
		}
		*alias = vma->vma_start + (offset - vma->vma_offset);
		if (*alias >= from && *alias < to) {
			cut(len, to - *alias);
			continue;
		}
		cut(len, (*alias < from && from < vma->vma_end ? from : vma->vma_end) - *alias);
		return true;
	}
	return false;
}

/* The rule of do_shmdt() in ipc/shm.c: parts that are still where they were attached. */
uint64_t maps_each_attached(uint64_t va, void (*what)(uint64_t va, uint64_t len))
{
	struct procmap_query vma, first = {.inode = 0};
	uint64_t end = va;

	for (uint64_t at = va; next_file_mapping(at, &vma); at = vma.vma_end) {
		if (vma.vma_start < va || vma.vma_start - va != vma.vma_offset)
			continue;
		if (!first.inode)
			first = vma;
		if (vma.inode != first.inode || vma.dev_major != first.dev_major ||
		    vma.dev_minor != first.dev_minor)
			continue;
		what(vma.vma_start, vma.vma_end - vma.vma_start);
		end = vma.vma_end;
	}
	return end - va;
}

void maps_each_of_file(dev_t dev, ino_t ino, uint64_t offset, uint64_t len,
		       void (*what)(uint64_t va, uint64_t len))
{
	struct procmap_query vma;

	for (uint64_t va = 0; next_file_mapping(va, &vma); va = vma.vma_end) {
		uint64_t from = vma.vma_offset;
		uint64_t to = from + (vma.vma_end - vma.vma_start);

		if (vma.inode != ino || vma.dev_major != major(dev) || vma.dev_minor != minor(dev))
			continue;
		if (from < offset)
			from = offset;
		if (to > offset && to - offset > len)
			to = offset + len;
		if (from < to)
			what(vma.vma_start + (from - vma.vma_offset), to - from);
	}
}

void maps_each_alias(uint64_t va, uint64_t len, void (*what)(uint64_t va, uint64_t len))
{
	struct procmap_query vma;
	uint64_t end = va + len;

	for (; va < end && next_file_mapping(va, &vma) && vma.vma_start < end; va = vma.vma_end) {
		uint64_t from = vma.vma_start > va ? vma.vma_start : va;
		uint64_t to = vma.vma_end < end ? vma.vma_end : end;

		maps_each_of_file(makedev(vma.dev_major, vma.dev_minor), vma.inode,
				  vma.vma_offset + (from - vma.vma_start), to - from, what);
	}
}

bool maps_entries(int fd, uint64_t va, uint64_t *entries, size_t n)
{
	ssize_t size = (ssize_t)(n * sizeof(*entries));

	return fd >= 0 &&
	       sys_pread(fd, entries, (size_t)size,
			 (off_t)(va >> PIN_PAGE_SHIFT) * (off_t)sizeof(*entries)) == size;
}

/* The migration of a pinned page fails within a moment. Others end soon, too. */
#define MOVING_TRIES 1000

void maps_wait(int fd, uint64_t va, uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n; i++, va += PIN_PAGE_SIZE)
		for (int tries = 0; pagemap_is_moving(entries[i]) && tries < MOVING_TRIES;
		     tries++) {
			sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
			if (!maps_entries(fd, va, &entries[i], 1))
				return;
		}
}

/* True when the entry hides its frame, and a pin may find it out. */
static bool is_untold(uint64_t va, uint64_t entry, bool any)
{
	if (!(entry & PAGEMAP_PRESENT) || !PAGEMAP_HIDDEN(entry))
		return false;
	if (any)
		return true;
	return entry & PAGEMAP_FILE ? maps_shared_length(va) : entry & PAGEMAP_EXCLUSIVE;
}

/*
 * Finds out the frames of these pages by pinning them. True also when they cannot be
 * pinned (-EFAULT), because such pages are not pinned ones.
 */
static bool tell(uint64_t va, uint64_t *entries, size_t n)
{
	int ret = pin_probe(va, entries, n);
	bool told = !ret || ret == -EFAULT;

	/* One of the pages can be the reason, or their number. */
	if (n == 1 || (ret != -EFAULT && ret != -ENOMEM))
		return told;
	told = true;
	for (size_t i = 0; i < n; i++)
		told &= tell(va + (i << PIN_PAGE_SHIFT), entries + i, 1);
	return told;
}

bool maps_tell(uint64_t va, uint64_t *entries, size_t n, bool any)
{
	bool told = true;

	for (size_t i = 0, run; i < n; i += run ? run : 1) {
		uint64_t at = va + (i << PIN_PAGE_SHIFT);

		for (run = 0; i + run < n; run++)
			if (!is_untold(at + (run << PIN_PAGE_SHIFT), entries[i + run], any))
				break;
		if (run)
			told &= tell(at, entries + i, run);
	}
	return told;
}

/* How many leading entries are neither migrating nor hidden: mostly all. */
static size_t count_plain(const uint64_t *entries, size_t n)
{
	size_t i = 0;

	for (; i < n; i++)
		if (entries[i] & PAGEMAP_PRESENT ? PAGEMAP_HIDDEN(entries[i])
						 : entries[i] & PAGEMAP_SWAPPED)
			break;
	return i;
}

bool maps_read(uint64_t va, uint64_t *entries, size_t n, bool any)
{
	int fd = proc_pagemap();
	size_t done;

	if (!maps_entries(fd, va, entries, n)) {
		if (!any)
			return false;
		for (size_t i = 0; i < n; i++)
			entries[i] = PAGEMAP_PRESENT;
	}
	done = count_plain(entries, n);
	va += done << PIN_PAGE_SHIFT;
	maps_wait(fd, va, entries + done, n - done);
	maps_tell(va, entries + done, n - done, any);
	return true;
}

bool maps_stand(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n)
{
	static uint64_t entries[512];
	struct procmap_query vma;
	int ret = mapping_ask(va, PROCMAP_QUERY_COVERING_OR_NEXT_VMA, &vma);
	int fd = proc_pagemap();

	/* Mostly nothing is mapped there now. */
	if (ret == -ENOENT || (!ret && vma.vma_start >= va + (n << shift)))
		return false;
	if (!maps_entries(fd, va, entries, n))
		return true;
	maps_wait(fd, va, entries, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t pfn = entries[i] & PAGEMAP_PFN;

		if (pagemap_is_moving(entries[i]))
			return true;
		if (!(entries[i] & PAGEMAP_PRESENT))
			continue;
		ret = pfn ? 0 : pin_probe(va + (i << shift), &pfn, 1);
		/* -EFAULT: the page that is there now cannot be pinned, so it is another one. */
		if (ret ? ret != -EFAULT : pfn == (pages[i] & PAGEMAP_PFN))
			return true;
	}
	return false;
}
