/* SPDX-License-Identifier: MIT */
/*
 * lookups native | shim | bare DEVICE-NODE
 *
 * Looks up physical addresses as legacy drivers do and prints what each kind
 * took, a name and nanoseconds to the line. native and shim are the same calls
 * on /proc/self/pagemap; bare pins by hand, by iommufd's own calls.
 *
 * Every address is held against what the kernel says afterwards, by a system
 * call that no library sees. Exit status 1, with a message: one was wrong.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "uapi/iommufd.h"
#include "uapi/vfio.h"

#define PAGE	4096UL
#define PFN	UINT64_C(0x7fffffffffffff)
#define PRESENT (UINT64_C(1) << 63)
#define PAGES	256   /* looked up one by one */
#define AGAIN	2000  /* lookups of what is pinned already */
#define BULK	16384 /* looked up at once */

static int pagemap;
static int iommufd;
static uint32_t ioas;
static uint64_t told[BULK], now[BULK];

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void report(const char *name, uint64_t since)
{
	printf("%s %lu\n", name, clock_ns() - since);
}

static off_t position(const void *va)
{
	return (off_t)((uintptr_t)va / PAGE * sizeof(uint64_t));
}

static void *fresh(size_t pages)
{
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, pages * PAGE, MADV_NOHUGEPAGE))
		err(1, "memory");
	memset(memory, 1, pages * PAGE);
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

/* The instruction itself: a library that stands in front of pread() does not see it. */
static long raw_pread(int fd, void *buf, size_t len, off_t pos)
{
	register long r10 __asm__("r10") = pos;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(SYS_pread64), "D"(fd), "S"(buf), "d"(len), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static void check(const char *what, const char *va, size_t n)
{
	if (raw_pread(pagemap, now, n * 8, position(va)) != (long)(n * 8))
		errx(1, "%s: cannot be checked", what);
	for (size_t i = 0; i < n; i++)
		if (!(now[i] & PRESENT) || !(now[i] & PFN) || (now[i] & PFN) != (told[i] & PFN))
			errx(1, "%s: page %zu is at frame %lx, %lx was told", what, i,
			     now[i] & PFN, told[i] & PFN);
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

static void bare(const char *node)
{
	char *memory = fresh(PAGES), *bulk = fresh(BULK);
	uint64_t start;

	make_page_table(node);
	start = clock_ns();
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t entry;

		pin(memory + i * PAGE, PAGE);
		physical(memory + i * PAGE, PAGE, &told[i]);
		look_up(memory + i * PAGE, &entry, 1);
	}
	report("first-lookup", start);
	check("first-lookup", memory, PAGES);

	start = clock_ns();
	pin(bulk, BULK * PAGE);
	physical(bulk, BULK * PAGE, told);
	report("first-bulk", start);
	check("first-bulk", bulk, BULK);

	start = clock_ns();
	unpin(bulk, BULK * PAGE);
	munmap(bulk, BULK * PAGE);
	report("release", start);
}

/* ---- by pagemap ---- */

static void by_pagemap(void)
{
	char *memory = fresh(PAGES), *bulk = fresh(BULK), *other = fresh(1);
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

	start = clock_ns();
	munmap(bulk, BULK * PAGE);
	report("release", start);
}

int main(int argc, char **argv)
{
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0)
		err(1, "/proc/self/pagemap");
	if (argc > 2 && !strcmp(argv[1], "bare"))
		bare(argv[2]);
	else
		by_pagemap();
	return 0;
}
