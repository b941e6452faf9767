/* SPDX-License-Identifier: MIT */
/*
 * reuse ROUNDS
 *
 * Four threads map a page, look it up and give it back, so that each gets what
 * another one has just left, mostly at the same address; every other page is
 * moved by mremap() in between. Before it goes, each page is sent to and fro
 * between two NUMA nodes, which may not change its frame. What the library must
 * not see is asked of the kernel by the instruction itself.
 *
 * Prints each page that left its frame, and how many did; exit status 1 if any did.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sys.h"

#define THREADS	       4
#define PAGE	       4096UL
#define PFN	       UINT64_C(0x7fffffffffffff)
#define MPOL_MF_MOVE   2
#define MAP_FLAGS      (MAP_PRIVATE | MAP_ANONYMOUS)
#define ENTRY_OF(page) ((off_t)((uintptr_t)(page) / PAGE * sizeof(uint64_t)))

static int pagemap;
static long rounds;
static atomic_long moved;

static char *map_page(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_FLAGS, -1, 0);

	if (page == MAP_FAILED)
		err(2, "mmap");
	*page = 1;
	return page;
}

static uint64_t look_up(const char *page)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry), ENTRY_OF(page)) != sizeof(entry))
		err(2, "pread of pagemap");
	return entry & PFN;
}

static uint64_t kernels_entry(const char *page)
{
	uint64_t entry = 0;

	sys_call_kernel(SYS_pread64, pagemap, (long)&entry, sizeof(entry), ENTRY_OF(page), 0, 0);
	return entry;
}

static void send_to_and_fro(char *page)
{
	for (int node = 0; node < 2; node++) {
		int status;

		sched_yield();
		sys_call_kernel(SYS_move_pages, 0, 1, (long)&page, (long)&node, (long)&status,
				MPOL_MF_MOVE);
	}
}

static void *work(void *unused)
{
	(void)unused;
	for (long i = 0; i < rounds; i++) {
		char *page = map_page();
		uint64_t told = look_up(page), now;

		if (i % 2) {
			page = mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map_page());
			if (page == MAP_FAILED)
				err(2, "mremap");
		}
		send_to_and_fro(page);
		now = kernels_entry(page);
		if ((now & PFN) != told) {
			printf("round %ld, at %p: frame 0x%lx was told, now the entry is 0x%lx\n",
			       i, page, told, now);
			moved++;
		}
		if (munmap(page, PAGE))
			err(2, "munmap");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	rounds = argc > 1 ? strtol(argv[1], NULL, 0) : 1;
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pagemap < 0)
		err(2, "/proc/self/pagemap");
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, NULL))
			errx(2, "no thread");
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%ld of %ld pages moved\n", (long)moved, rounds * THREADS);
	return moved != 0;
}
