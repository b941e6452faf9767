/* SPDX-License-Identifier: MIT */
/* The fake kernel's memory: frames, files, mappings, and what /proc tells of them. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/user.h"
#include "fake-inside.h"
#include "pin/pin.h"
#include "uapi/pagemap.h"
#include "uapi/procmap.h"

#define FRAMES	    (1U << 24)
#define FIRST_FRAME 0x1000
#define OWN_FRAME   1

/* How often a frame is pinned, by its number. */
static uint32_t *pins;
static uint64_t next_frame = FIRST_FRAME;

/* Entry of a file's page: 0, or a frame, or a frame that pinning will copy. */
#define COPY_FIRST (UINT64_C(1) << 63)
#define FRAME	   (COPY_FIRST - 1)

#define SOFT_DIRTY (UINT64_C(1) << 55)

struct fake_file {
	struct fake_file *next;
	uint64_t size, page_size;
	uint64_t *pages;
	struct fake_node *node; /* NULL: private anonymous memory */
	bool mapped_elsewhere;
};

struct vma {
	uint64_t start, end;
	struct fake_file *file;	  /* NULL: a BAR */
	struct fake_file *copies; /* of the file's pages; NULL: it is shared, or anonymous */
	uint64_t offset;
	unsigned int flags;
	struct fake_open *device;
};

static struct fake_file *files;
static struct vma vmas[512]; /* by address */
static size_t nr_vmas;

/* What is not touched of such a large array costs nothing, not even a leak checker's time. */
void fake_memory_boot(void)
{
	if (!pins)
		pins = mmap(NULL, FRAMES * sizeof(*pins), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(pins, MAP_FAILED);
	madvise(pins, FRAMES * sizeof(*pins), MADV_DONTNEED);
	files = NULL;
	nr_vmas = 0;
}

/* ---- frames ---- */

static uint64_t new_frames(uint64_t page_size)
{
	uint64_t n = page_size / FAKE_4K;
	uint64_t frame;

	/* Some small pages follow each other in memory, some do not. */
	if (n == 1 && next_frame % 3 == 0)
		next_frame++;
	frame = (next_frame + n - 1) / n * n;
	next_frame = frame + n;
	/* Check writes each ck_assert() to a file: none where a call comes by often. */
	if (next_frame > FRAMES)
		ck_abort_msg("no frame is left");
	return frame;
}

void fake_pin_again(uint64_t pfn)
{
	if (!pins[pfn]++)
		fake.pinned++;
}

void fake_unpin(uint64_t pfn)
{
	if (!pins[pfn])
		ck_abort_msg("frame %lx is not pinned", (unsigned long)pfn);
	if (!--pins[pfn])
		fake.pinned--;
}

bool fake_is_pinned(uint64_t pfn)
{
	return pfn < FRAMES && pins[pfn];
}

/* ---- files ---- */

static struct fake_file *new_file(uint64_t size, uint64_t page_size)
{
	struct fake_file *file = fake_alloc(sizeof(*file));

	file->size = size;
	file->page_size = page_size;
	file->pages = fake_alloc(size / FAKE_4K * sizeof(*file->pages));
	file->next = files;
	files = file;
	return file;
}

struct fake_file *fake_file(uint64_t size, uint64_t page_size)
{
	struct fake_file *file = new_file(size, page_size);

	file->node = fake_node_add(FAKE_MEMORY, "/memfd");
	file->node->size = (off_t)size;
	return file;
}

int fake_file_open(struct fake_file *file)
{
	return fake_open_node(file->node, O_RDWR);
}

void fake_file_mapped_elsewhere(struct fake_file *file)
{
	file->mapped_elsewhere = true;
}

/* Frames for the page that the small page at index is in. */
static void fill(struct fake_file *file, uint64_t index, uint64_t mark)
{
	uint64_t n = file->page_size / FAKE_4K;
	uint64_t frame = new_frames(file->page_size);

	index -= index % n;
	for (uint64_t i = 0; i < n; i++)
		file->pages[index + i] = (frame + i) | mark;
}

static bool is_page_pinned(const struct fake_file *file, uint64_t index)
{
	for (uint64_t i = 0; i < file->page_size / FAKE_4K; i++)
		if (pins[file->pages[index + i] & FRAME])
			return true;
	return false;
}

void fake_migrate(void)
{
	for (struct fake_file *file = files; file; file = file->next)
		for (uint64_t i = 0; i < file->size / FAKE_4K; i += file->page_size / FAKE_4K)
			if (file->pages[i] && !is_page_pinned(file, i))
				fill(file, i, file->pages[i] & COPY_FIRST);
}

void fake_punch(struct fake_file *file, uint64_t offset, uint64_t len)
{
	memset(file->pages + offset / FAKE_4K, 0, len / FAKE_4K * sizeof(*file->pages));
}

/* ---- mappings ---- */

static struct vma *vma_after(uint64_t va)
{
	struct vma *vma = vmas;

	while (vma < vmas + nr_vmas && vma->end <= va)
		vma++;
	return vma;
}

static struct vma *vma_at(uint64_t va)
{
	struct vma *vma = vma_after(va);

	return vma < vmas + nr_vmas && vma->start <= va ? vma : NULL;
}

static void insert(struct vma vma)
{
	struct vma *at = vma_after(vma.start);

	ck_assert_uint_lt(nr_vmas, sizeof(vmas) / sizeof(vmas[0]));
	memmove(at + 1, at, (size_t)(vmas + nr_vmas - at) * sizeof(*at));
	*at = vma;
	nr_vmas++;
}

static void cut(uint64_t va)
{
	struct vma *vma = vma_at(va);
	struct vma tail;

	if (!vma || vma->start == va)
		return;
	tail = *vma;
	tail.start = va;
	tail.offset += va - vma->start;
	if (tail.device)
		tail.device->refs++;
	vma->end = va;
	insert(tail);
}

void fake_unmap(uint64_t va, uint64_t len)
{
	struct vma *first, *last;

	cut(va);
	cut(va + len);
	first = vma_after(va);
	for (last = first; last < vmas + nr_vmas && last->start < va + len; last++)
		if (last->device)
			fake_put(last->device);
	memmove(first, last, (size_t)(vmas + nr_vmas - last) * sizeof(*last));
	nr_vmas -= (size_t)(last - first);
}

void fake_map(uint64_t va, uint64_t len, struct fake_file *file, uint64_t offset,
	      unsigned int flags)
{
	fake_unmap(va, len);
	if (!file)
		file = new_file(len, FAKE_4K);
	insert((struct vma){
		.start = va,
		.end = va + len,
		.file = file,
		.copies = flags & FAKE_PRIVATE ? new_file(file->size, FAKE_4K) : NULL,
		.offset = offset,
		.flags = flags,
	});
	if (!(flags & (FAKE_ABSENT | FAKE_PFNMAP | FAKE_UNTOUCHED)))
		fake_touch(va, len);
}

void fake_map_device(uint64_t va, uint64_t len, int fd)
{
	struct fake_open *device = fake_open_of(fd);

	fake_unmap(va, len);
	device->refs++;
	insert((struct vma){.start = va, .end = va + len, .flags = FAKE_PFNMAP, .device = device});
}

void fake_move(uint64_t from, uint64_t len, uint64_t to)
{
	struct vma vma;

	fake_unmap(to, len);
	cut(from);
	cut(from + len);
	vma = *vma_at(from);
	ck_assert_uint_eq(vma.end - vma.start, len);
	fake_unmap(from, len);
	vma.start = to;
	vma.end = to + len;
	insert(vma);
}

static bool is_copy(const struct vma *vma, uint64_t va)
{
	return vma->copies && vma->copies->pages[(va - vma->start + vma->offset) / FAKE_4K];
}

static uint64_t *page_of(const struct vma *vma, uint64_t va)
{
	return &(is_copy(vma, va) ? vma->copies : vma->file)
			->pages[(va - vma->start + vma->offset) / FAKE_4K];
}

/* The page at va, which comes into being where it is not there. */
static uint64_t *touch(const struct vma *vma, uint64_t va)
{
	uint64_t *page = page_of(vma, va);

	if (!*page)
		fill(vma->file, (uint64_t)(page - vma->file->pages),
		     vma->flags & FAKE_COPIED ? COPY_FIRST : 0);
	return page;
}

/* The private copy of a file's page, which is made where there is none. */
static uint64_t *copy(const struct vma *vma, uint64_t va)
{
	if (!is_copy(vma, va))
		fill(vma->copies, (va - vma->start + vma->offset) / FAKE_4K, 0);
	return page_of(vma, va);
}

void fake_write(uint64_t va)
{
	copy(vma_at(va), va);
}

void fake_touch(uint64_t va, uint64_t len)
{
	for (uint64_t end = va + len; va < end; va += FAKE_4K) {
		struct vma *vma = vma_at(va);

		vma->flags &= ~(unsigned int)FAKE_UNTOUCHED;
		touch(vma, va);
	}
}

void fake_discard(uint64_t va, uint64_t len)
{
	struct vma *vma = vma_at(va);

	fake_punch(vma->file, va - vma->start + vma->offset, len);
}

uint64_t fake_pfn(uint64_t va)
{
	struct vma *vma = vma_at(va);

	return vma && vma->file ? *page_of(vma, va) & FRAME : 0;
}

bool fake_may_write(uint64_t va)
{
	struct vma *vma = vma_at(va);

	return !vma || !(vma->flags & FAKE_READ_ONLY);
}

int fake_pin(uint64_t va, bool writable, uint64_t *pfn)
{
	struct vma *vma = vma_at(va);
	uint64_t *page;

	*pfn = OWN_FRAME;
	if (va < FAKE_OWN || va >= FAKE_OWN_END) {
		if (!vma || vma->flags & (FAKE_PFNMAP | FAKE_SECRET | FAKE_NO_ACCESS))
			return -EFAULT;
		ck_assert_msg(!writable, "a pin is a write that the program did not make");
		vma->flags &= ~(unsigned int)FAKE_UNTOUCHED;
		page = vma->copies ? copy(vma, va) : touch(vma, va);
		if (*page & COPY_FIRST)
			*page = new_frames(FAKE_4K);
		*pfn = *page;
	}
	if (!pins[*pfn] && fake.pinned >= fake.pin_limit)
		return -ENOMEM;
	fake_pin_again(*pfn);
	return 0;
}

/* ---- /proc ---- */

/* True where the page at offset of the file is mapped, and not a copy of it. */
static bool shows(const struct vma *vma, uint64_t offset)
{
	return offset >= vma->offset && offset - vma->offset < vma->end - vma->start &&
	       !is_copy(vma, vma->start + (offset - vma->offset));
}

static bool is_exclusive(const struct vma *vma, const uint64_t *page)
{
	if (vma->file->mapped_elsewhere)
		return false;
	if (page < vma->file->pages || page >= vma->file->pages + vma->file->size / FAKE_4K)
		return true; /* a copy */
	for (const struct vma *other = vmas; other < vmas + nr_vmas; other++)
		if (other != vma && other->file == vma->file &&
		    shows(other, (uint64_t)(page - vma->file->pages) * FAKE_4K))
			return false;
	return true;
}

static uint64_t entry_of(uint64_t va)
{
	struct vma *vma = vma_at(va);
	uint64_t entry = PAGEMAP_PRESENT;
	uint64_t *page;

	if (!vma || !vma->file || vma->flags & FAKE_UNTOUCHED)
		return 0;
	/* Swap types that no swap file has: SWP_PTE_MARKER, SWP_MIGRATION_READ */
	if (!*page_of(vma, va))
		return fake.guarded ? PAGEMAP_SWAPPED | 31 : 0;
	page = page_of(vma, va);
	/* With the flag of a page that was used: SWP_MIG_YOUNG */
	if (fake.moving)
		return PAGEMAP_SWAPPED | (UINT64_C(1) << 34 | (*page & FRAME)) << 5 | 25;
	if (vma->file->node && !is_copy(vma, va))
		entry |= PAGEMAP_FILE;
	if (is_exclusive(vma, page))
		entry |= UINT64_C(1) << 56;
	if (!(vma->flags & FAKE_CLEAN))
		entry |= SOFT_DIRTY;
	return entry | (fake.frames_shown ? *page & FRAME : 0);
}

/*
 * The kernel's, for which /proc/self/pagemap has an entry. Under qemu-aarch64 -p a process
 * has larger pages.
 */
static uint64_t real_page_size(void)
{
	unsigned long kilobytes = 0;
	char line[256];
	FILE *smaps = fopen("/proc/self/smaps", "re");

	ck_assert_ptr_nonnull(smaps);
	while (!kilobytes && fgets(line, sizeof(line), smaps))
		sscanf(line, "KernelPageSize: %lu", &kilobytes);
	fclose(smaps);
	ck_assert_uint_ne(kilobytes, 0);
	return kilobytes << 10;
}

/* Real memory is shown by this process's pagemap alone, and no frame of it. */
static uint64_t real_entry(const struct fake_node *node, uint64_t va)
{
	static int real = -1;
	static uint64_t size;
	uint64_t entry = 0;

	if (!strncmp(node->path, "/proc/1/", 8))
		return 0;
	if (real < 0) {
		real = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		size = real_page_size();
	}
	ck_assert_int_ge(real, 0);
	if (pread(real, &entry, sizeof(entry), (off_t)(va / size * sizeof(entry))) != sizeof(entry))
		return 0;
	return (entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) |
	       (entry & PAGEMAP_PRESENT ? SOFT_DIRTY : 0) |
	       (fake.frames_shown && entry & PAGEMAP_PRESENT ? OWN_FRAME : 0);
}

ssize_t fake_pagemap_read(const struct fake_node *node, uint64_t *entries, size_t len, off_t pos)
{
	size_t n = len / sizeof(*entries);
	uint64_t offset = (uint64_t)pos / sizeof(*entries) * FAKE_4K;
	uint64_t page = user_address((const void *)offset) / FAKE_4K;

	if (pos % (off_t)sizeof(*entries) || len % sizeof(*entries))
		return -EINVAL;
	if (page >= FAKE_TASK / FAKE_4K)
		return 0;
	if (n > FAKE_TASK / FAKE_4K - page)
		n = FAKE_TASK / FAKE_4K - page;
	for (size_t i = 0; i < n; i++)
		entries[i] = (page + i) * FAKE_4K >= FAKE_OWN && (page + i) * FAKE_4K < FAKE_OWN_END
				     ? real_entry(node, (page + i) * FAKE_4K)
				     : entry_of((page + i) * FAKE_4K);
	return (ssize_t)(n * sizeof(*entries));
}

/* One region to a page; it stops where there is no room for another. */
int fake_pagemap_scan(void *arg)
{
	struct pm_scan_arg *scan = arg;
	struct page_region *regions = (struct page_region *)(uintptr_t)scan->vec;
	int n = 0;

	if (fake.scan_error)
		return -fake.scan_error;
	if (scan->size != sizeof(*scan) || scan->start % FAKE_4K || scan->end > FAKE_OWN_END)
		return -EINVAL;
	for (uint64_t va = scan->start; va < scan->end; va += FAKE_4K) {
		scan->walk_end = va;
		if (!(entry_of(va) & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)))
			continue;
		if (n == (int)scan->vec_len)
			return n;
		regions[n++] = (struct page_region){va, va + FAKE_4K, PAGE_IS_PRESENT};
	}
	scan->walk_end = scan->end;
	return n;
}

static uint64_t page_size_of(const struct vma *vma)
{
	return vma->file ? vma->file->page_size : FAKE_4K;
}

struct fake_node *fake_mapped(uint64_t va)
{
	static struct fake_node mapped = {.type = FAKE_MEMORY, .path = "/mapped"};
	const struct vma *vma = vma_at(va);

	mapped.page_size = vma ? page_size_of(vma) : 0;
	return vma ? &mapped : NULL;
}

/* Anonymous huge pages are those of a file. */
static const struct fake_node *node_of(const struct vma *vma)
{
	static const struct fake_node pool = {.ino = 1};
	const struct fake_node *node = vma->device ? vma->device->node : vma->file->node;

	return node || page_size_of(vma) == FAKE_4K ? node : &pool;
}

/* show_map_vma() in fs/proc/task_mmu.c */
static int show(const struct vma *vma, char *line, size_t size)
{
	const struct fake_node *node = node_of(vma);

	return snprintf(line, size, "%lx-%lx %cw-%c %08lx %02x:%02x %lu   %s\n",
			(unsigned long)vma->start, (unsigned long)vma->end,
			vma->flags & FAKE_NO_ACCESS ? '-' : 'r',
			node && node->path[0] && !vma->copies ? 's' : 'p',
			node ? (unsigned long)vma->offset : 0, node ? major(node->dev) : 0,
			node ? minor(node->dev) : 0, node ? (unsigned long)node->ino : 0,
			node ? node->path : "");
}

/* A read ends with a page of the kernel's own. */
ssize_t fake_maps_read(char *buf, size_t len, off_t pos)
{
	char line[160];
	size_t done = 0;
	off_t at = 0;

	for (size_t i = 0; i <= nr_vmas; i++) {
		int size = i < nr_vmas ? show(&vmas[i], line, sizeof(line))
				       : snprintf(line, sizeof(line),
						  "ffffffffff600000-ffffffffff601000 --xp "
						  "00000000 00:00 0   [vsyscall]\n");

		for (int c = 0; c < size; c++, at++)
			if (at >= pos && done < len && done < 1000)
				buf[done++] = line[c];
	}
	return (ssize_t)done;
}

int fake_procmap_query(void *arg)
{
	struct procmap_query *query = arg;
	struct vma *vma = vma_after(query->query_addr);
	const struct fake_node *node;

	if (!fake.has_procmap)
		return -ENOTTY;
	if (query->query_flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA)
		while (vma < vmas + nr_vmas && query->query_flags & PROCMAP_QUERY_FILE_BACKED_VMA &&
		       ((!vma->device && !vma->file->node) ||
			(query->query_flags & PROCMAP_QUERY_VMA_SHARED && vma->copies)))
			vma++;
	if (vma == vmas + nr_vmas)
		return -ENOENT;
	node = vma->device ? vma->device->node : vma->file->node;
	if (!(query->query_flags & PROCMAP_QUERY_COVERING_OR_NEXT_VMA) &&
	    (vma->start > query->query_addr ||
	     (query->query_flags & PROCMAP_QUERY_FILE_BACKED_VMA && !node)))
		return -ENOENT;
	query->vma_start = vma->start;
	query->vma_end = vma->end;
	query->vma_flags = (node && !vma->copies ? PROCMAP_QUERY_VMA_SHARED : 0) |
			   (vma->flags & FAKE_NO_ACCESS ? 0 : PROCMAP_QUERY_VMA_READABLE);
	query->vma_page_size = page_size_of(vma);
	query->vma_offset = node ? vma->offset : 0;
	query->inode = node ? node->ino : 0;
	query->dev_major = node ? major(node->dev) : 0;
	query->dev_minor = node ? minor(node->dev) : 0;
	return 0;
}
