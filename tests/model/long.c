/*
 * A day of work in short: a driver that uses parts of a large address space looks
 * addresses up all the time and releases a buffer now and then.
 *
 * Its buffers have 64 KiB each and lie at random places in 64 GiB, so that two of
 * them rarely share a 2 MiB range. This is the worst case for tables by address.
 */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SPACE	     (64UL << 30)
#define BUFFERS	     1024
#define BUFFER_PAGES 16
#define BUFFER_SIZE  (BUFFER_PAGES * PAGE_SIZE)
#define PLACES	     (SPACE / BUFFER_SIZE)
#define MAP_FLAGS    (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* The number of lookups for each buffer that is released. */
#define KEEPING 256
#define CHECKS	16

/* How much memory the library may use. */
#define MAX_FIXED	  (1UL << 20)
#define MAX_BYTES_PER_PIN 512

struct buffer {
	char *va;
	uint64_t told[BUFFER_PAGES];
};

static struct {
	char *space;
	bool taken[PLACES];
	struct buffer buffers[BUFFERS];
	size_t live;
	uint64_t random;
	uint64_t unmapped;
} run = {.random = 1};

static uint64_t below(uint64_t limit)
{
	return random_bits(&run.random) % limit;
}

/* The resident memory of this process, exactly, in bytes. */
static size_t resident(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	size_t kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Rss: %zu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

static void place(struct buffer *buffer)
{
	size_t at;

	do
		at = below(PLACES);
	while (run.taken[at]);
	run.taken[at] = true;
	*buffer = (struct buffer){.va = run.space + at * BUFFER_SIZE};
	memset(buffer->va, 1, BUFFER_SIZE);
}

/* Releases a buffer in one of several ways. The address space stays reserved. */
static void give_back(struct buffer *buffer)
{
	bool ok;

	switch (below(3)) {
	case 0:
		ok = madvise(buffer->va, BUFFER_SIZE, MADV_DONTNEED) == 0;
		break;
	case 1:
		ok = munmap(buffer->va, BUFFER_SIZE) == 0;
		/* fall through */
	default:
		ok = mmap(buffer->va, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_FLAGS | MAP_FIXED,
			  -1, 0) == buffer->va;
	}
	if (!ok)
		fail("giving memory back: %s", strerror(errno));
	for (size_t i = 0; i < BUFFER_PAGES; i++)
		run.live -= buffer->told[i] != 0;
	run.taken[(size_t)(buffer->va - run.space) / BUFFER_SIZE] = false;
	run.unmapped++;
}

static void look_up_one(void)
{
	struct buffer *buffer = &run.buffers[below(BUFFERS)];
	size_t page = below(BUFFER_PAGES);
	uint64_t entry;

	look_up(KEPT_PREAD, buffer->va + page * PAGE_SIZE, 1, &entry);
	run.live += !buffer->told[page];
	if (buffer->told[page] && buffer->told[page] != (entry & PFN))
		fail("page %zu at %p was in frame 0x%llx, and now it is in 0x%llx", page,
		     (void *)buffer->va, (unsigned long long)buffer->told[page], entry & PFN);
	buffer->told[page] = entry & PFN;
}

/* Checks all told addresses after all pages that can be moved were moved. */
static void check(void)
{
	uint64_t entries[MAX_RANGES * BUFFER_PAGES], *entry;
	struct range ranges[MAX_RANGES];

	for (size_t first = 0; first < BUFFERS; first += MAX_RANGES) {
		for (size_t i = 0; i < MAX_RANGES; i++)
			ranges[i] = (struct range){(uintptr_t)run.buffers[first + i].va,
						   BUFFER_PAGES, PAGE_SHIFT};
		observer_look(LOOK_AFTER_MOVING, getpid(), ranges, MAX_RANGES, entries);
		entry = entries;
		for (size_t i = 0; i < MAX_RANGES; i++)
			for (size_t page = 0; page < BUFFER_PAGES; page++, entry++) {
				uint64_t told = run.buffers[first + i].told[page];

				if (told && told != (*entry & PFN))
					fail("an address is 0x%llx and was said to be 0x%llx",
					     *entry & PFN, (unsigned long long)told);
			}
	}
}

void long_run(uint64_t lookups)
{
	size_t before, own = 0, most = 0, half = 0, pinned, pinned_before;

	run.space = mmap(NULL, SPACE, PROT_READ | PROT_WRITE, MAP_FLAGS, -1, 0);
	if (run.space == MAP_FAILED || madvise(run.space, SPACE, MADV_NOHUGEPAGE) < 0)
		fail("reserving 64 GiB: %s", strerror(errno));
	for (size_t i = 0; i < BUFFERS; i++)
		place(&run.buffers[i]);
	pinned_before = observer_look(LOOK, getpid(), NULL, 0, NULL).pinned;
	before = resident();
	for (uint64_t i = 1; i <= lookups; i++) {
		struct buffer *buffer = &run.buffers[below(BUFFERS)];

		look_up_one();
		if (i % KEEPING == 0) {
			give_back(buffer);
			place(buffer);
		}
		if (i % (lookups / CHECKS + 1) == 0 || i == lookups) {
			check();
			own = resident() - before;
			most = own > most ? own : most;
			if (i <= lookups / 2)
				half = most;
		}
	}
	pinned = observer_look(LOOK, getpid(), NULL, 0, NULL).pinned - pinned_before;
	printf("%llu look-ups, %llu buffers given back, %zu pages pinned: the library has "
	       "%zu KiB, at most %zu, %zu bytes per pin\n",
	       (unsigned long long)lookups, (unsigned long long)run.unmapped, run.live, own >> 10,
	       most >> 10, own / run.live);
	/* The library has two pins of its own: its window's claim and the iommufd's identity. */
	if (pinned > run.live + 2)
		fail("%zu pages are pinned, %zu in use", pinned, run.live);
	if (most > MAX_FIXED + run.live * MAX_BYTES_PER_PIN)
		fail("that is more than %d per pin", MAX_BYTES_PER_PIN);
	if (most > half + half / 10 + MAX_FIXED / 4)
		fail("in the first half of the time it was %zu KiB", half >> 10);
}
