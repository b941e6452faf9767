/* SPDX-License-Identifier: MIT */
#include "uring/uring.h"

#include <errno.h>
#include <string.h>

#include "base/page.h"
#include "base/proc.h"
#include "base/slab.h"
#include "base/sys.h"
#include "uring/ring.h"

#define TOGETHER   512 /* pages of the largest map, except for a larger huge page */
#define PRESENT	   (UINT64_C(1) << 63)
#define PROTECTED  (UINT64_C(1) << 57) /* by userfaultfd */
#define SOFT_DIRTY (UINT64_C(1) << 55)
#define PFN	   ((UINT64_C(1) << 55) - 1)
#define ITS_WINDOW (UINT64_C(1) << 49)

struct buffer {
	uint32_t place;
	uint32_t users;
};

/* IOVAs, and the memory that was mapped there. */
struct extent {
	struct extent *next;
	uint64_t iova, len, va;
	struct buffer *buffer;
};

static struct slab buffers = {.size = sizeof(struct buffer)};
static struct slab extents = {.size = sizeof(struct extent)};

/*
 * Hash tables by IOVA: of extents of one page, by 8 pages, and of longer ones, by TOGETHER.
 * Only a larger huge page crosses such a border.
 */
#define BUCKETS 16384
static struct extent *short_extents[BUCKETS], *long_extents[BUCKETS];
static const struct table {
	unsigned int shift; /* of the number of pages */
	struct extent **buckets;
} single = {3, short_extents}, longer = {9, long_extents};

static bool is_ready;

/* Not to be set by a pin: SOFT_DIRTY, or 0. */
static uint64_t kept_clear;

/* The other backend's generations are smaller. */
static unsigned int generation = 1 << 16;

/* A page that is to be mapped next. Without one its size is 0. */
static struct {
	uint64_t va, size, entry;
} seen;

/* The entries that were read for the IOVAs from told.iova on. */
static struct {
	uint64_t iova;
	size_t n;
	uint64_t entries[TOGETHER];
} told;

static uint64_t number_of(const struct table *table, uint64_t iova)
{
	return iova >> (page_shift() + table->shift);
}

static struct extent **bucket_of(const struct table *table, uint64_t iova)
{
	return &table->buckets[number_of(table, iova) & (BUCKETS - 1)];
}

/* ---- what is ready ---- */

static void forget(const struct table *table)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (table->buckets[i]) {
			struct extent *extent = table->buckets[i];

			table->buckets[i] = extent->next;
			if (!--extent->buffer->users)
				slab_free(&buffers, extent->buffer);
			slab_free(&extents, extent);
		}
}

/* The pins are gone, or belong to the parent. */
static void forget_all(void)
{
	forget(&single);
	forget(&longer);
	is_ready = false;
	told.n = 0;
	generation++;
}

static int read_entries(uint64_t va, uint64_t *entries, size_t n)
{
	int fd = proc_pagemap();
	ssize_t len = fd < 0 ? fd
			     : sys_pread(fd, entries, n * sizeof(*entries),
					 (off_t)((va >> page_shift()) * sizeof(*entries)));

	if (len < 0)
		return (int)len;
	return len == (ssize_t)(n * sizeof(*entries)) ? 0 : -EFAULT;
}

/* The entry of a page that was just written to. */
static int written_entry(uint64_t *entry)
{
	static volatile char page = 1;

	page = 2;
	return read_entries((uintptr_t)&page, entry, 1);
}

/* 0 if the process sees frames in its pagemap, else a negative errno. */
static int sees_frames(void)
{
	uint64_t entry;
	int ret = written_entry(&entry);

	return ret || entry & PFN ? ret : -EACCES;
}

int uring_ready(void)
{
	int ret;

	if (is_ready)
		return 0;
	ret = sees_frames();
	if (!ret)
		ret = ring_open();
	is_ready = !ret;
	return ret;
}

bool uring_is_ready(void)
{
	return is_ready;
}

bool uring_check(void)
{
	if (is_ready && !ring_check())
		forget_all();
	return is_ready;
}

unsigned int uring_generation(void)
{
	return generation;
}

/* Processes do not share rings, so all can use the same window. */
int uring_claim(uint64_t page, uint64_t *window)
{
	(void)page;
	*window = ITS_WINDOW;
	return 0;
}

bool uring_release_gone(void)
{
	return false;
}

/* ---- extents ---- */

static struct extent *find_in(const struct table *table, uint64_t iova)
{
	struct extent *extent = *bucket_of(table, iova);

	while (extent && (iova < extent->iova || iova - extent->iova >= extent->len))
		extent = extent->next;
	return extent;
}

static struct extent *find(uint64_t iova)
{
	struct extent *extent = find_in(&single, iova);

	return extent ? extent : find_in(&longer, iova);
}

static int add_extent(uint64_t iova, uint64_t len, uint64_t va, struct buffer *buffer)
{
	struct extent *extent = slab_alloc(&extents);
	struct extent **bucket = bucket_of(len == page_size() ? &single : &longer, iova);

	if (!extent)
		return -ENOMEM;
	*extent = (struct extent){*bucket, iova, len, va, buffer};
	*bucket = extent;
	buffer->users++;
	return 0;
}

static void drop(struct buffer *buffer)
{
	if (buffer->users)
		return;
	ring_remove(buffer->place);
	slab_free(&buffers, buffer);
}

/* Removes the extents of one bucket that are within [iova, iova + len). */
static void unmap_in_bucket(struct extent **at, uint64_t iova, uint64_t len)
{
	while (*at) {
		struct extent *extent = *at;

		if (extent->iova < iova || extent->iova - iova >= len ||
		    extent->len > len - (extent->iova - iova)) {
			at = &extent->next;
			continue;
		}
		*at = extent->next;
		extent->buffer->users--;
		drop(extent->buffer);
		slab_free(&extents, extent);
	}
}

static void unmap_in(const struct table *table, uint64_t iova, uint64_t len)
{
	uint64_t first = number_of(table, iova), last = number_of(table, iova + len - 1);

	for (uint64_t i = first; i <= last && i < first + BUCKETS; i++)
		unmap_in_bucket(&table->buckets[i & (BUCKETS - 1)], iova, len);
}

int uring_unmap(uint64_t iova, uint64_t len)
{
	unmap_in(&single, iova, len);
	unmap_in(&longer, iova, len);
	told.n = 0;
	return 0;
}

int uring_copy(uint64_t from, uint64_t len, uint64_t to)
{
	struct extent *extent = find(from);

	if (find(to))
		return -EEXIST;
	if (!extent || from - extent->iova + len > extent->len)
		return -ENOENT;
	return add_extent(to, len, extent->va + (from - extent->iova), extent->buffer);
}

int uring_copy_anywhere(uint64_t from, uint64_t len, uint64_t *to)
{
	static uint64_t last;

	last = (last + TOGETHER * page_size()) & (ITS_WINDOW - 1);
	*to = last;
	return uring_copy(from, len, last);
}

/* ---- pinning ---- */

static bool are_alike(const uint64_t *before, const uint64_t *after, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((before[i] ^ after[i]) & (PRESENT | PFN))
			return false;
	return true;
}

/*
 * True when somebody would be told of a write to one of the pages. To a protected page it
 * would wait for the program.
 */
static bool is_watched(const uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (entries[i] & PROTECTED || ~entries[i] & kept_clear)
			return true;
	return false;
}

/* A page can move until it is pinned, and pinning can copy it. */
#define TRIES 8

/*
 * Registers n pages, and reads their entries into told. They are those of the pinned pages
 * if they were the same before.
 */
static int pin(uint64_t va, size_t n, uint32_t *place)
{
	static uint64_t before[TOGETHER];
	int ret = 0;

	if (seen.size)
		before[0] = seen.entry;
	else
		ret = read_entries(va, before, n);
	for (int tries = 0; !ret && tries < TRIES; tries++) {
		if (is_watched(before, n))
			return -EFAULT;
		ret = ring_add(va, n << page_shift(), place);
		if (ret)
			return ret;
		ret = read_entries(va, told.entries, n);
		if (!ret && are_alike(before, told.entries, n))
			return 0;
		ring_remove(*place);
		memcpy(before, told.entries, n * sizeof(*before));
	}
	return ret ? ret : -EFAULT;
}

void uring_seen(uint64_t va, uint64_t size, uint64_t entry)
{
	seen.va = va;
	seen.size = size;
	seen.entry = entry;
}

/* The first base page of a huge page keeps all of it pinned. */
int uring_map(uint64_t va, uint64_t len, uint64_t iova)
{
	struct buffer *buffer;
	size_t n;
	int ret;

	if (seen.va != va || seen.size != len)
		seen.size = 0;
	n = len >> page_shift();
	if (seen.size || n > TOGETHER)
		n = 1;
	told.n = 0;
	if (find(iova))
		return -EEXIST;
	buffer = slab_alloc(&buffers);
	if (!buffer)
		return -ENOMEM;
	ret = pin(va, n, &buffer->place);
	seen.size = 0;
	if (ret) {
		slab_free(&buffers, buffer);
		return ret;
	}
	ret = add_extent(iova, len, va, buffer);
	if (ret)
		drop(buffer);
	else
		told.iova = iova;
	told.n = ret ? 0 : n;
	return ret;
}

/* Valid right after the map only: later, other pages can be mapped there. */
int uring_physical(uint64_t iova, uint64_t *len, uint64_t *pa)
{
	size_t at = (iova - told.iova) >> page_shift(), n = 1;
	uint64_t *entry = &told.entries[at];

	if (iova < told.iova || at >= told.n)
		return -ENOENT;
	if (!(*entry & PRESENT) || !(*entry & PFN))
		return -EFAULT;
	while (at + n < told.n && n << page_shift() < *len &&
	       (entry[n] & (PRESENT | PFN)) == (*entry & (PRESENT | PFN)) + n)
		n++;
	if (*len > n << page_shift())
		*len = n << page_shift();
	*pa = (*entry & PFN) << page_shift();
	return 0;
}

void uring_keep_marks(bool keep)
{
	uint64_t entry;

	kept_clear = 0;
	/* Without a mark on this page, the kernel keeps none. */
	if (keep && !written_entry(&entry))
		kept_clear = entry & SOFT_DIRTY;
}

void uring_close(void)
{
	forget_all();
	ring_close();
}

void uring_end(void)
{
	ring_clear();
	uring_close();
}

/* ---- processes ---- */

void uring_in_child(void)
{
	forget_all();
	ring_in_child();
}

void uring_close_inherited(void)
{
	ring_close_inherited();
}

void uring_abandon(void)
{
	memset(short_extents, 0, sizeof(short_extents));
	memset(long_extents, 0, sizeof(long_extents));
	is_ready = false;
	told.n = 0;
	generation++;
	ring_abandon();
}
