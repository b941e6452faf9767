/* SPDX-License-Identifier: MIT */
#include "pin/maps.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "base/proc.h"
#include "base/sys.h"
#include "pin/pin.h"
#include "uapi/procmap.h"

static bool query(uint64_t va, uint64_t flags, struct procmap_query *vma)
{
	int fd = proc_maps();

	*vma = (struct procmap_query){.size = sizeof(*vma), .query_flags = flags, .query_addr = va};
	return fd >= 0 && !sys_ioctl(fd, PROCMAP_QUERY, vma);
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

struct place {
	size_t i;    /* among those that are kept */
	uint64_t at; /* the address behind them */
};

/*
 * The next shared mapping, from the place on, outside of what leaves. What was
 * asked for one page is kept for the next, up to a number.
 */
static const struct procmap_query *next_staying(struct place *place, struct maps_leaving *leaving)
{
	static struct procmap_query kept[MAPS_KEPT], other;
	struct procmap_query *vma = &other;

	if (place->i < MAPS_KEPT)
		vma = &kept[place->i++];
	if (vma == &other || place->i > leaving->kept) {
		if (place->at >= leaving->last)
			return NULL;
		if (!next_shared_mapping(place->at, vma)) {
			leaving->last = place->at;
			return NULL;
		}
		leaving->kept = place->i;
	}
	place->at = vma->vma_end;
	if (place->at >= leaving->from && place->at < leaving->to)
		place->at = leaving->to;
	return vma;
}

bool maps_find_alias(uint64_t va, uint64_t *len, struct maps_leaving *leaving, uint64_t *alias)
{
	uint64_t from = leaving->from, to = leaving->to;
	const struct procmap_query *vma;
	struct place place = {.at = 0};
	struct procmap_query self;
	uint64_t offset;

	if (!query(va, PROCMAP_QUERY_FILE_BACKED_VMA, &self))
		return false;
	cut(len, self.vma_end - va);
	offset = self.vma_offset + (va - self.vma_start);
	while ((vma = next_staying(&place, leaving))) {
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

/* The rule of do_shmdt() in ipc/shm.c: what still lies where it was attached. */
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

/* A page that cannot be moved, because it is pinned, is back in a moment; others are soon. */
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

bool maps_stand(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n)
{
	static uint64_t entries[512];
	struct procmap_query vma;
	int fd;

	/* Mostly nothing at all is there now. */
	if (!query(va, PROCMAP_QUERY_COVERING_OR_NEXT_VMA, &vma) ||
	    vma.vma_start >= va + (n << shift))
		return false;
	fd = proc_pagemap();
	if (!maps_entries(fd, va, entries, n))
		return false;
	maps_wait(fd, va, entries, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t pfn = entries[i] & PAGEMAP_PFN;

		if (!(entries[i] & PAGEMAP_PRESENT))
			continue;
		if (!pfn && pin_probe(va + (i << shift), &pfn))
			continue;
		if (pfn == (pages[i] & PAGEMAP_PFN))
			return true;
	}
	return false;
}
