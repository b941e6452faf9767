/*
 * lookups FILE
 *
 * The part of a driver that does not use the kernel's VFIO: it looks up the physical
 * addresses of memory of several kinds in pagemap, writes them to FILE in the format
 * that storm reads, and keeps the memory until its standard input ends. It also looks up
 * pages that it unmaps before that; their addresses are not written.
 *
 * Prints the number of pages of each kind, then "ready". Exit status: 0, 1 if a lookup
 * failed, 2 if there was no memory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define PAGE	((size_t)sysconf(_SC_PAGESIZE))
#define PAGES	64UL
#define HUGE	(2UL << 20)
#define PRESENT (1ULL << 63)
#define PFN	((UINT64_C(1) << 55) - 1)

static int pagemap;
static FILE *report;
static int failed;

static void *checked(void *memory, const char *kind)
{
	if (memory != MAP_FAILED)
		return memory;
	perror(kind);
	exit(2);
}

static void *map(const char *kind, size_t len, int flags, int fd)
{
	char *memory = checked(mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0), kind);

	for (size_t i = 0; i < len; i += PAGE)
		memory[i] = 1;
	return memory;
}

static void *of_file(const char *kind, size_t len, int fd, int flags)
{
	if (fd < 0 || ftruncate(fd, (off_t)len) < 0) {
		perror(kind);
		exit(2);
	}
	return map(kind, len, flags, fd);
}

static void look_up(const char *kind, void *memory, size_t len, size_t step)
{
	size_t told = 0;

	for (size_t i = 0; i < len; i += step) {
		uintptr_t va = (uintptr_t)memory + i;
		uint64_t entry;

		if (pread(pagemap, &entry, sizeof(entry), (off_t)(va / PAGE * 8)) != 8) {
			perror(kind);
			failed = 1;
		} else if (entry & PRESENT && entry & PFN) {
			fprintf(report, "%" PRIxPTR " %" PRIx64 "\n", va,
				(entry & PFN) * (uint64_t)PAGE);
			told++;
		}
	}
	printf("%s: %zu\n", kind, told);
}

static void *thp(void)
{
	char *memory = checked(
		mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		"thp");

	memory = (char *)(((uintptr_t)memory + HUGE - 1) & ~(HUGE - 1));
	madvise(memory, HUGE, MADV_HUGEPAGE);
	memset(memory, 1, HUGE);
	return memory;
}

int main(int argc, char **argv)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	char *small, *given;
	char end;

	pagemap = open("/proc/self/pagemap", O_RDONLY);
	report = argc == 2 ? fopen(argv[1], "w") : NULL;
	if (pagemap < 0 || !report) {
		perror("lookups");
		return 2;
	}
	small = map("private", PAGES * PAGE, anonymous, -1);
	look_up("private", small, PAGES * PAGE, PAGE);
	look_up("thp", thp(), HUGE, PAGE);
	look_up("hugetlb", map("hugetlb", 4 * HUGE, anonymous | MAP_HUGETLB, -1), 4 * HUGE, HUGE);
	look_up("shared hugetlb",
		map("shared hugetlb", HUGE, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1), HUGE,
		HUGE);
	if (!getenv("LOOKUPS_ANONYMOUS")) {
		look_up("shared", map("shared", PAGES * PAGE, MAP_SHARED | MAP_ANONYMOUS, -1),
			PAGES * PAGE, PAGE);
		look_up("memfd", of_file("memfd", PAGES * PAGE, memfd_create("m", 0), MAP_SHARED),
			PAGES * PAGE, PAGE);
	}
	/* The neighbours of unmapped pages must stay. */
	given = map("given", PAGES * PAGE, anonymous, -1);
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t entry;

		if (pread(pagemap, &entry, sizeof(entry),
			  (off_t)((uintptr_t)given / PAGE * 8 + i * 8)) != 8)
			failed = 1;
	}
	munmap(given + 16 * PAGE, 32 * PAGE);
	look_up("neighbours", given, 16 * PAGE, PAGE);
	fclose(report);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &end, 1) > 0)
		;
	return failed;
}
