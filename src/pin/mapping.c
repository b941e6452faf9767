/* SPDX-License-Identifier: MIT */
#include "pin/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/format.h"
#include "base/limit.h"
#include "base/lines.h"
#include "base/lock.h"
#include "base/proc.h"
#include "base/sys.h"
#include "pin/store.h"

struct mapping {
	uint64_t start, end, offset, inode;
	uint64_t page_size; /* 0: not found out yet */
	uint32_t major, minor;
	uint64_t flags;
};

/* The lines of the text, in the order of their addresses. */
static struct {
	struct mapping *all;
	size_t n, room;
	bool any;	   /* line */
	unsigned int turn; /* in which it was read; 0: none */
} text;

#define ROOM_FIRST 512

static bool grow(void)
{
	size_t room = text.room ? 2 * text.room : ROOM_FIRST;
	struct mapping *all = sys_memory(room * sizeof(*all)), *before = text.all;

	if (sys_is_error(all))
		return false;
	if (before)
		memcpy(all, before, text.n * sizeof(*all));
	text.all = all;
	if (before)
		sys_memory_free(before, text.room * sizeof(*all));
	text.room = room;
	return true;
}

/* The number at *at, which moves behind it and the character that follows. */
static uint64_t number(const char **at, unsigned int base)
{
	uint64_t value = 0;

	for (;; (*at)++) {
		unsigned int c = (unsigned char)**at;

		if (c >= '0' && c <= '9')
			value = value * base + (c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			value = value * base + (c - 'a' + 10);
		else
			break;
	}
	if (**at)
		(*at)++;
	return value;
}

/*
 * The format of show_map_vma() in fs/proc/task_mmu.c. Addresses of the kernel's are not
 * the program's mappings. True: there is no memory.
 */
static bool enter(const char *line, void *arg)
{
	struct mapping *mapping;
	const char *rights;

	(void)arg;
	text.any = true;
	if (text.n == text.room && !grow())
		return true;
	mapping = &text.all[text.n];
	*mapping = (struct mapping){.start = number(&line, 16)};
	mapping->end = number(&line, 16);
	rights = line;
	if (strlen(rights) < 5 || mapping->start >> 63)
		return false;
	line += 5;
	mapping->flags = (rights[0] == 'r' ? PROCMAP_QUERY_VMA_READABLE : 0) |
			 (rights[3] == 's' ? PROCMAP_QUERY_VMA_SHARED : 0);
	mapping->offset = number(&line, 16);
	mapping->major = (uint32_t)number(&line, 16);
	mapping->minor = (uint32_t)number(&line, 16);
	mapping->inode = number(&line, 10);
	text.n++;
	return false;
}

static int read_text(void)
{
	int fd;

	if (text.turn == lock_turn())
		return 0;
	fd = proc_maps();
	fd = fd < 0 ? fd : limit_dup(fd);
	if (fd < 0)
		return fd;
	text.n = 0;
	text.any = false;
	sys_call(SYS_lseek, fd, 0, SEEK_SET, 0, 0, 0);
	if (lines_each(fd, enter, NULL))
		return -ENOMEM;
	if (!text.any)
		return -EIO;
	text.turn = lock_turn();
	return 0;
}

void mapping_forget(void)
{
	text.turn = 0;
}

/* Only mappings of hugetlbfs have other pages, and those are aligned. */
static uint64_t its_page_size(const struct mapping *mapping)
{
	const uint64_t in_huge = (UINT64_C(1) << PIN_PMD_SHIFT) - 1;
	uint64_t size = PIN_PAGE_SIZE;
	struct statfs fs;
	char name[64];
	int fd;

	if (!mapping->inode || (mapping->start | mapping->end) & in_huge)
		return size;
	format(name, sizeof(name), "self/map_files/%lx-%lx", mapping->start, mapping->end);
	fd = proc_open(name, O_PATH);
	if (fd < 0)
		return size;
	if (!sys_call(SYS_fstatfs, fd, (long)&fs, 0, 0, 0, 0) && fs.f_type == HUGETLBFS_MAGIC)
		size = (uint64_t)fs.f_bsize;
	sys_close(fd);
	return size;
}

/* The first mapping that ends after va, or the end of all. */
static size_t first_after(uint64_t va)
{
	size_t low = 0, high = text.n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (text.all[middle].end > va)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool matches(const struct mapping *mapping, uint64_t flags)
{
	return (!(flags & PROCMAP_QUERY_FILE_BACKED_VMA) || mapping->inode) &&
	       (!(flags & PROCMAP_QUERY_VMA_SHARED) || mapping->flags & PROCMAP_QUERY_VMA_SHARED);
}

static int ask_text(uint64_t va, uint64_t flags, struct procmap_query *vma)
{
	int ret = read_text();
	size_t i = ret ? 0 : first_after(va);
	struct mapping *mapping;

	if (ret)
		return ret;
	if (flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA)
		while (i < text.n && !matches(&text.all[i], flags))
			i++;
	else if (i < text.n && (text.all[i].start > va || !matches(&text.all[i], flags)))
		return -ENOENT;
	if (i == text.n)
		return -ENOENT;
	mapping = &text.all[i];
	if (!mapping->page_size)
		mapping->page_size = its_page_size(mapping);
	vma->vma_start = mapping->start;
	vma->vma_end = mapping->end;
	vma->vma_flags = mapping->flags;
	vma->vma_page_size = mapping->page_size;
	vma->vma_offset = mapping->offset;
	vma->inode = mapping->inode;
	vma->dev_major = mapping->major;
	vma->dev_minor = mapping->minor;
	return 0;
}

int mapping_ask(uint64_t va, uint64_t flags, struct procmap_query *vma)
{
	static bool is_old;
	int fd, ret;

	*vma = (struct procmap_query){.size = sizeof(*vma), .query_flags = flags, .query_addr = va};
	if (is_old)
		return ask_text(va, flags, vma);
	fd = proc_maps();
	ret = fd < 0 ? fd : sys_ioctl(fd, PROCMAP_QUERY, vma);
	is_old = ret == -ENOTTY;
	return is_old ? ask_text(va, flags, vma) : ret;
}
