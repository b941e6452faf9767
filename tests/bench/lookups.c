/* SPDX-License-Identifier: MIT */
/*
 * lookups native | shim [threads | others | pins N]
 * lookups bare DEVICE-NODE
 *
 * Looks up physical addresses as legacy drivers do and prints what each kind
 * took, a name and nanoseconds to the line. native and shim are the same calls
 * on /proc/self/pagemap; bare pins by hand, by iommufd's own calls or io_uring's.
 * threads: several at once; others: calls that are no lookups, in between; pins:
 * while N pages are pinned of which no two are neighbours, and what memory the
 * library has for each (bytes).
 *
 * Every address is held against what the kernel says afterwards, by a system
 * call that no library sees, and what is pinned against VmPin; by io_uring, with
 * NOIOMMU_SHIM_BACKEND=uring, against what is pinned in all of the system, as that
 * is counted for no process. Exit status 1, with a message: something was wrong.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "uapi/io_uring.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

#define PAGE	4096UL
#define PFN	UINT64_C(0x7fffffffffffff)
#define PRESENT (UINT64_C(1) << 63)
#define PAGES	256   /* looked up one by one */
#define ROW	2048  /* looked up one after the other as DPDK does */
#define AGAIN	2000  /* lookups of what is pinned already */
#define BULK	16384 /* looked up at once */
#define HUGE	(UINT64_C(1) << 21)
#define HUGES	32
#define THREADS 4
#define MANY	100000 /* pins */

static int pagemap;
static bool pins; /* what is looked up is pinned, or is by hand */
static bool by_uring;
static int ring, iommufd;
static uint32_t ioas;
static uint64_t told[BULK], now[BULK];

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void put(const char *name, uint64_t value)
{
	printf("%s%s %lu\n", by_uring ? "uring-" : "", name, value);
}

static void report(const char *name, uint64_t since)
{
	put(name, clock_ns() - since);
}

static off_t position(const void *va)
{
	return (off_t)((uintptr_t)va / PAGE * sizeof(uint64_t));
}

static char *reserved(size_t pages)
{
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, pages * PAGE, MADV_NOHUGEPAGE))
		err(1, "memory");
	return memory;
}

static void *fresh(size_t pages)
{
	char *memory = reserved(pages);

	memset(memory, 1, pages * PAGE);
	return memory;
}

/*
 * No two neighbours of it are neighbours in memory: else it would depend on
 * what ran before how many there are.
 */
static char *scattered(size_t pages)
{
	char *memory = reserved(pages);

	for (size_t odd = 0; odd < 2; odd++)
		for (size_t i = odd; i < pages; i += 2)
			memory[i * PAGE] = 1;
	return memory;
}

static void look_up(const void *va, uint64_t *entries, size_t n)
{
	if (pread(pagemap, entries, n * 8, position(va)) != (ssize_t)(n * 8))
		err(1, "pread");
}

static uint64_t look_up_as_dpdk(const void *va)
{
	uint64_t entry;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || lseek(fd, position(va), SEEK_SET) < 0 || read(fd, &entry, 8) != 8)
		err(1, "pagemap");
	close(fd);
	return entry;
}

/* By a call that a library in front of pread() does not see. */
static void check(const char *what, const char *va, size_t n)
{
	if (sys_call_kernel(SYS_pread64, pagemap, (long)now, (long)(n * 8), position(va), 0, 0) !=
	    (long)(n * 8))
		errx(1, "%s: cannot be checked", what);
	for (size_t i = 0; i < n; i++)
		if (!(now[i] & PRESENT) || !(now[i] & PFN) || (now[i] & PFN) != (told[i] & PFN))
			errx(1, "%s: page %zu is at frame %lx, %lx was told", what, i, now[i] & PFN,
			     told[i] & PFN);
}

/* The number behind a word at the beginning of a line, or 0. */
static size_t number(const char *path, const char *name)
{
	FILE *file = fopen(path, "r");
	char line[128];
	size_t len = strlen(name), found = 0;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len))
			found = strtoul(line + len, NULL, 10);
	if (file)
		fclose(file);
	return found;
}

/* In kB. */
static size_t status(const char *name)
{
	return number("/proc/self/status", name);
}

/* Each processor counts for itself until that is read. */
static size_t pinned_by_all(void)
{
	number("/proc/sys/vm/stat_refresh", "");
	return (number("/proc/vmstat", "nr_foll_pin_acquired ") -
		number("/proc/vmstat", "nr_foll_pin_released ")) *
	       (PAGE / 1024);
}

/* io_uring may keep a single pin for a huge page. */
static void check_pins(size_t pages, size_t huge)
{
	size_t kb = by_uring ? pinned_by_all() : status("VmPin:");
	size_t all = pages + huge * (by_uring ? 1 : HUGE / PAGE);
	size_t least = pins ? all * (PAGE / 1024) : 0;

	if (kb < least || (!pins && kb))
		errx(1, "%zu kB are pinned, not %zu", kb, least);
}

static char *fresh_huge(void)
{
	char *memory = mmap(NULL, HUGES * HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "huge pages");
	for (size_t i = 0; i < HUGES; i++)
		memory[i * HUGE] = 1;
	return memory;
}

static void check_huge(const char *memory)
{
	uint64_t entries[HUGES];

	memcpy(entries, told, sizeof(entries));
	for (size_t i = 0; i < HUGES; i++) {
		told[0] = entries[i];
		check("first-huge", memory + i * HUGE, 1);
	}
}

/* ---- by hand ---- */

static void need(const char *what, int ret)
{
	if (ret)
		err(1, "%s", what);
}

static void make_page_table(const char *node)
{
	struct iommu_ioas_alloc alloc = {.size = sizeof(alloc)};
	struct shim_vfio_device_bind_iommufd bind = {.argsz = sizeof(bind)};
	struct iommu_hwpt_alloc table = {.size = offsetof(struct iommu_hwpt_alloc, data_uptr) +
						 sizeof(table.data_uptr)};
	int cdev = open(node, O_RDWR);

	iommufd = open("/dev/iommu", O_RDWR);
	if (cdev < 0 || iommufd < 0)
		err(1, "%s", node);
	need("IOMMU_IOAS_ALLOC", ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc));
	ioas = alloc.out_ioas_id;
	bind.iommufd = iommufd;
	need("VFIO_DEVICE_BIND_IOMMUFD", ioctl(cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind));
	table.dev_id = bind.out_devid;
	table.pt_id = ioas;
	need("IOMMU_HWPT_ALLOC", ioctl(iommufd, IOMMU_HWPT_ALLOC, &table));
	close(cdev);
}

static void pin(const void *va, size_t len)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = len,
		.iova = (uintptr_t)va,
	};

	need("IOMMU_IOAS_MAP", ioctl(iommufd, IOMMU_IOAS_MAP, &map));
}

/* Frames of [va, va + len), asked for by what is contiguous. */
static void physical(const char *va, size_t len, uint64_t *frames)
{
	struct iommu_ioas_noiommu_get_pa query = {.size = sizeof(query), .ioas_id = ioas};

	for (size_t done = 0; done < len; done += query.length) {
		query.iova = (uintptr_t)va + done;
		query.length = len - done;
		need("IOMMU_IOAS_NOIOMMU_GET_PA",
		     ioctl(iommufd, IOMMU_IOAS_NOIOMMU_GET_PA, &query));
		for (size_t i = 0; i < query.length; i += PAGE)
			frames[(done + i) / PAGE] = (query.out_phys + i) / PAGE;
	}
}

static void unpin(const void *va, size_t len)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = ioas, .iova = (uintptr_t)va, .length = len};

	need("IOMMU_IOAS_UNMAP", ioctl(iommufd, IOMMU_IOAS_UNMAP, &unmap));
}

#define SLOTS 8192

static int registers(unsigned int what, const void *arg, unsigned int n)
{
	return (int)syscall(SYS_io_uring_register, ring, what, arg, n);
}

static void make_ring(void)
{
	static const struct iovec none[SLOTS];
	struct uapi_io_uring_params params = {{0}};
	struct uapi_io_uring_register2 table = {.nr = SLOTS, .data = (uintptr_t)none};

	ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0)
		err(1, "io_uring_setup");
	need("IORING_REGISTER_BUFFERS2", registers(UAPI_REGISTER_BUFFERS2, &table, sizeof(table)));
}

static void set_slot(unsigned int slot, const void *va, size_t len)
{
	struct iovec buffer = {(void *)(uintptr_t)va, len};
	struct uapi_io_uring_update2 update = {.offset = slot, .data = (uintptr_t)&buffer, .nr = 1};

	if (registers(UAPI_REGISTER_BUFFERS_UPDATE, &update, sizeof(update)) != 1)
		err(1, "IORING_REGISTER_BUFFERS_UPDATE");
}

static unsigned int last_slot;

static void pin_by_ring(const void *va, size_t len)
{
	set_slot(++last_slot, va, len);
}

/* The kernel says it in pagemap. */
static void physical_by_ring(const char *va, size_t len, uint64_t *frames)
{
	look_up(va, frames, len / PAGE);
}

static void unpin_last(const void *va, size_t len)
{
	(void)va;
	(void)len;
	set_slot(last_slot--, NULL, 0);
}

static const struct by_hand {
	void (*pin)(const void *va, size_t len);
	void (*physical)(const char *va, size_t len, uint64_t *frames);
	void (*unpin)(const void *va, size_t len);
} by_iommufd = {pin, physical, unpin}, by_ring = {pin_by_ring, physical_by_ring, unpin_last};

static const struct by_hand *hand = &by_iommufd;

static void pin_each(const char *name, const char *memory, size_t size, size_t n)
{
	uint64_t start = clock_ns(), entry;

	for (size_t i = 0; i < n; i++) {
		hand->pin(memory + i * size, size);
		hand->physical(memory + i * size, PAGE, &told[i]);
		if (!by_uring)
			look_up(memory + i * size, &entry, 1);
	}
	report(name, start);
}

static void pin_page(const char *page)
{
	uint64_t frame;

	hand->pin(page, PAGE);
	if (!by_uring)
		hand->physical(page, PAGE, &frame);
}

/* Pages that are there before, and pages that come when the program reaches them. */
static void look_up_row(void (*prepare)(const char *page))
{
	char *present = fresh(ROW), *touched = reserved(ROW);
	uint64_t start = clock_ns();

	for (size_t i = 0; i < ROW; i++) {
		prepare(present + i * PAGE);
		told[i] = look_up_as_dpdk(present + i * PAGE);
	}
	report("dpdk-first", start);
	check("dpdk-first", present, ROW);

	start = clock_ns();
	for (size_t i = 0; i < ROW; i++) {
		touched[i * PAGE] = 1;
		prepare(touched + i * PAGE);
		told[i] = look_up_as_dpdk(touched + i * PAGE);
	}
	report("dpdk-touched", start);
	check("dpdk-touched", touched, ROW);
}

static void bare(const char *node)
{
	char *memory = fresh(PAGES), *bulk = scattered(BULK), *huge = fresh_huge();
	uint64_t start;

	if (by_uring) {
		make_ring();
		hand = &by_ring;
	} else {
		make_page_table(node);
	}
	pin_each("first-lookup", memory, PAGE, PAGES);
	check("first-lookup", memory, PAGES);
	pin_each("first-huge", huge, HUGE, HUGES);
	check_huge(huge);

	start = clock_ns();
	hand->pin(bulk, BULK * PAGE);
	hand->physical(bulk, BULK * PAGE, told);
	report("first-bulk", start);
	check("first-bulk", bulk, BULK);
	check_pins(PAGES + BULK, HUGES);

	start = clock_ns();
	hand->unpin(bulk, BULK * PAGE);
	munmap(bulk, BULK * PAGE);
	report("release", start);
	look_up_row(pin_page);
}

/* ---- by pagemap ---- */

static void as_it_is(const char *page)
{
	(void)page;
}

static void by_pagemap(void)
{
	char *memory = fresh(PAGES), *bulk = scattered(BULK), *other = fresh(1);
	char *huge = fresh_huge();
	uint64_t start;

	/* Not counted: the first of all, which makes the page table. */
	look_up(other, told, 1);
	check("the first", other, 1);

	start = clock_ns();
	for (size_t i = 0; i < PAGES; i++)
		look_up(memory + i * PAGE, &told[i], 1);
	report("first-lookup", start);
	check("first-lookup", memory, PAGES);

	start = clock_ns();
	for (size_t i = 0; i < HUGES; i++)
		look_up(huge + i * HUGE, &told[i], 1);
	report("first-huge", start);
	check_huge(huge);

	start = clock_ns();
	for (size_t i = 0; i < AGAIN; i++)
		told[i % PAGES] = look_up_as_dpdk(memory + i % PAGES * PAGE);
	report("dpdk-lookup", start);
	check("dpdk-lookup", memory, PAGES);

	start = clock_ns();
	for (size_t i = 0; i < AGAIN; i++)
		look_up(memory + i % PAGES * PAGE, &told[i % PAGES], 1);
	report("pread-lookup", start);
	check("pread-lookup", memory, PAGES);

	start = clock_ns();
	look_up(bulk, told, BULK);
	report("first-bulk", start);
	check("first-bulk", bulk, BULK);

	start = clock_ns();
	for (size_t i = 0; i < 10; i++)
		look_up(bulk, told, BULK);
	report("bulk", start);
	check("bulk", bulk, BULK);
	check_pins(PAGES + BULK, HUGES);

	start = clock_ns();
	munmap(bulk, BULK * PAGE);
	report("release", start);
	look_up_row(as_it_is);
}

/* ---- several at once ---- */

static char *shared_pages;

static void *look_up_again(void *entries)
{
	for (size_t i = 0; i < AGAIN; i++)
		look_up(shared_pages + i % PAGES * PAGE, (uint64_t *)entries + i % PAGES, 1);
	return NULL;
}

static void by_threads(void)
{
	static uint64_t entries[THREADS][PAGES];
	pthread_t threads[THREADS];

	shared_pages = fresh(PAGES);
	look_up(shared_pages, told, PAGES);
	for (size_t n = 1; n <= THREADS; n *= 2) {
		char name[16];
		uint64_t start = clock_ns();

		for (size_t i = 0; i < n; i++)
			if (pthread_create(&threads[i], NULL, look_up_again, entries[i]))
				errx(1, "thread");
		for (size_t i = 0; i < n; i++)
			pthread_join(threads[i], NULL);
		snprintf(name, sizeof(name), "threads-%zu", n);
		report(name, start);
		for (size_t i = 0; i < n; i++) {
			memcpy(told, entries[i], sizeof(entries[i]));
			check(name, shared_pages, PAGES);
		}
	}
	check_pins(PAGES, 0);
}

/* ---- calls that are none ---- */

static void others(void)
{
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), fd;
	char *memory = fresh(1), byte = 0;
	uint64_t start;

	look_up(memory, told, 1);
	check("a lookup", memory, 1);
	start = clock_ns();
	for (size_t i = 0; i < AGAIN; i++)
		syscall(SYS_getppid);
	report("getppid", start);

	start = clock_ns();
	for (size_t i = 0; i < AGAIN; i++)
		if (read(zero, &byte, 1) != 1)
			err(1, "read");
	report("read-other", start);

	start = clock_ns();
	for (size_t i = 0; i < AGAIN; i++)
		if (write(null, &byte, 1) != 1)
			err(1, "write");
	report("write-other", start);

	start = clock_ns();
	for (size_t i = 0; i < AGAIN; i++)
		if ((fd = open("/dev/null", O_RDONLY)) < 0 || close(fd))
			err(1, "open");
	report("open-close", start);
	check_pins(1, 0);
}

/* ---- beside many pins ---- */

static char *alternate(size_t pages)
{
	char *memory = reserved(2 * pages);

	for (size_t i = 0; i < pages; i++)
		memory[2 * i * PAGE] = 1;
	return memory;
}

static void beside_pins(size_t n)
{
	static uint64_t entries[AGAIN];
	char *memory = alternate(n), name[32];
	size_t before;
	uint64_t start;

	memset(told, 1, sizeof(told));
	before = status("RssAnon:");
	for (size_t i = 0; i < 2 * n; i += BULK)
		look_up(memory + i * PAGE, told, 2 * n - i < BULK ? 2 * n - i : BULK);
	/* What there is of the store for a single pin would drown it. */
	snprintf(name, sizeof(name), "memory-%zu", n);
	if (n >= MANY)
		put(name, (status("RssAnon:") - before) * 1024 / n);
	check_pins(n, 0);

	start = clock_ns();
	for (size_t i = 0; i < AGAIN; i++)
		look_up(memory + i * 7919 % n * 2 * PAGE, &entries[i], 1);
	snprintf(name, sizeof(name), "pins-%zu", n);
	report(name, start);
	for (size_t i = 0; i < AGAIN; i++) {
		told[0] = entries[i];
		check(name, memory + i * 7919 % n * 2 * PAGE, 1);
	}
}

int main(int argc, char **argv)
{
	const char *backend = getenv("NOIOMMU_SHIM_BACKEND");

	by_uring = backend && !strcmp(backend, "uring");
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0)
		err(1, "/proc/self/pagemap");
	pins = argc > 1 && strcmp(argv[1], "native") != 0;
	if (argc > 2 && !strcmp(argv[1], "bare"))
		bare(argv[2]);
	else if (argc > 2 && !strcmp(argv[2], "threads"))
		by_threads();
	else if (argc > 2 && !strcmp(argv[2], "others"))
		others();
	else if (argc > 3 && !strcmp(argv[2], "pins"))
		beside_pins(strtoul(argv[3], NULL, 10));
	else
		by_pagemap();
	return 0;
}
