/*
 * A sequence of steps, and what has to be true after each of them.
 *
 * A step is made of random numbers only and means something in any state, so
 * that a sequence from which steps are taken away is a sequence as well.
 */
#define _GNU_SOURCE
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIN_STEPS 5

static struct progress *progress;
static uint64_t truth[MAX_AREAS][MAX_PAGES];
static struct account at_start, now;
static bool checked; /* in this step, as the last thing that happened */

void say(const char *format, ...)
{
	size_t length = strlen(progress->what);
	va_list args;

	va_start(args, format);
	vsnprintf(progress->what + length, sizeof(progress->what) - length, format, args);
	va_end(args);
}

/* ---- generating ---------------------------------------------------------- */

static unsigned int choose_operation(uint64_t *state)
{
	unsigned int sum = 0, i;

	for (i = 0; i < OPERATIONS; i++)
		sum += operations[i].weight;
	sum = (unsigned int)(random_bits(state) % sum);
	for (i = 0; sum >= operations[i].weight; i++)
		sum -= operations[i].weight;
	return i;
}

static unsigned int generate(uint64_t seed, struct step steps[MAX_STEPS])
{
	uint64_t state = seed;
	unsigned int count = MIN_STEPS + random_bits(&state) % (MAX_STEPS - MIN_STEPS + 1);

	for (unsigned int i = 0; i < count; i++) {
		uint64_t bits = random_bits(&state);

		steps[i] = (struct step){
			.number = i,
			.operation = i ? choose_operation(&state) : 0,
			.slot = (uint32_t)random_bits(&state),
			.other = (uint32_t)random_bits(&state),
			.from = (uint32_t)random_bits(&state),
			.pages = (uint32_t)random_bits(&state),
			.kind = (uint32_t)random_bits(&state),
			.how = (uint32_t)random_bits(&state),
			.whole = bits & 1,
			.write = bits & 2,
			.quiet = !(bits & 12),
			.odd = !(bits & 0x70),
		};
	}
	return count;
}

/* ---- checking ------------------------------------------------------------ */

static void check_area(const struct area *area, const uint64_t *entries)
{
	for (size_t i = 0; i < area->pages; i++) {
		uint64_t owed = area_owed(area, i);

		if (!owed || (entries[i] & PRESENT && (entries[i] & PFN) == owed))
			continue;
		/* A page of an object need not be in the page table to be there. */
		if (area->shared && !(entries[i] & PRESENT))
			continue;
		fail("page %zu of %s %p is at frame 0x%llx, its address was said to be 0x%llx", i,
		     kind_name(area->kind), (void *)area->va,
		     entries[i] & PRESENT ? entries[i] & PFN : 0ULL, (unsigned long long)owed);
	}
}

static void check_pinned(void)
{
	uint64_t pinned = now.pinned - at_start.pinned;
	size_t told, owed;

	memory_count(&told, &owed);
	if (pinned < told)
		fail("%llu pages are pinned and %zu were looked up", (unsigned long long)pinned,
		     told);
	/* No more is pinned ahead of the program than it has asked for. */
	if (pinned > owed + memory_asked() + memory_stale())
		fail("%llu pages are pinned and only %zu in use", (unsigned long long)pinned, owed);
}

void check_truth(enum look how)
{
	static uint64_t entries[MAX_AREAS * MAX_PAGES];
	struct range ranges[MAX_AREAS];
	const uint64_t *at = entries;
	size_t count = 0;

	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages)
			ranges[count++] = (struct range){
				.va = (uintptr_t)area->va,
				.pages = (uint32_t)area->pages,
				.shift = area->shift,
			};
	now = observer_look(how, getpid(), ranges, count, entries);
	checked = true;
	for (size_t i = 0; i < MAX_AREAS; i++) {
		memcpy(truth[i], at, areas[i].pages * sizeof(*at));
		at += areas[i].pages;
		check_area(&areas[i], truth[i]);
	}
}

/* The entry of a page of 4 KiB, computed from that of the page that it is in. */
static uint64_t true_entry(const struct area *area, const uint64_t *entries, size_t small)
{
	unsigned int shift = area->shift - PAGE_SHIFT;
	uint64_t entry = entries[small >> shift];

	return entry & PRESENT ? entry + (small & ((1UL << shift) - 1)) : entry;
}

void check_answer(pid_t pid, struct area *area, size_t first, const uint64_t *entries, size_t count)
{
	unsigned int shift = area->shift - PAGE_SHIFT;
	struct range range = {(uintptr_t)area->va, (uint32_t)area->pages, area->shift};
	const uint64_t *true_entries = truth[area - areas];
	static uint64_t others[MAX_PAGES];
	uint64_t since = 0;

	/* Meanwhile its parent may have mapped the pages as well. */
	if (pid != getpid()) {
		since = EXCLUSIVE;
		observer_look(LOOK, pid, &range, 1, others);
		true_entries = others;
	} else {
		memory_ask(count); /* there or not */
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t entry = true_entry(area, true_entries, first + i);
		size_t page = (first + i) >> shift;

		if ((entries[i] ^ entry) & ~since)
			fail("%s %p, page %zu: the answer is %016llx, the truth %016llx",
			     kind_name(area->kind), (void *)area->va, first + i,
			     (unsigned long long)entries[i], (unsigned long long)entry);
		if (entry & PRESENT && pid == getpid())
			area_told(area, page, true_entries[page] & PFN);
	}
}

/* ---- performing ---------------------------------------------------------- */

#define FRESH_PAGES 64

static void *map_fresh(void *va, size_t pages, int prot, int flags)
{
	va = mmap(va, pages * PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (va == MAP_FAILED)
		fail("no memory for fresh pages");
	return va;
}

/*
 * A look-up of pages that were not there before makes the library look for what is stale.
 * Nothing else is ever mapped there or behind: no look-up of a later step goes on from it.
 */
static void look_up_fresh_pages(void)
{
	static void *va;
	uint64_t entries[FRESH_PAGES];

	if (!va)
		va = map_fresh(NULL, FRESH_PAGES + 1, PROT_NONE, 0);
	map_fresh(va, FRESH_PAGES, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_POPULATE);
	look_up(KEPT_PREAD, va, FRESH_PAGES, entries);
	map_fresh(va, FRESH_PAGES, PROT_NONE, MAP_FIXED);
}

static struct account take_account(void)
{
	return observer_look(LOOK, getpid(), NULL, 0, NULL);
}

static void check_same(const char *what, uint64_t end, uint64_t start)
{
	if (end != start)
		fail("%llu %s at the end, %llu at the start", (unsigned long long)end, what,
		     (unsigned long long)start);
}

static void check_end(void)
{
	struct account at_end;

	look_up_fresh_pages();
	at_end = take_account();
	/*
	 * What went quietly is found as pages are looked up, at the latest when
	 * they are an eighth of those that the process has; what children had pinned
	 * at one look-up of 64.
	 */
	for (size_t i = 0; i <= memory_stale() + 64 && (at_end.pinned != at_start.pinned ||
							at_end.huge_free != at_start.huge_free);
	     i++) {
		look_up_fresh_pages();
		at_end = take_account();
	}
	check_same("pages are pinned", at_end.pinned, at_start.pinned);
	check_same("huge pages are free", at_end.huge_free, at_start.huge_free);
	memory_forget_stale();
}

/* Returns true if it has done anything. */
static bool perform(const struct step *step, bool verbose)
{
	progress->step = step->number;
	progress->what[0] = '\0';
	checked = false;
	operations[step->operation].perform(step);
	if (verbose && progress->what[0])
		printf("%3u  %s%s\n", step->number, operations[step->operation].name,
		       progress->what);
	return progress->what[0];
}

void sequence_prepare(struct progress *where)
{
	progress = where;
	/* The library may keep something pinned for itself from now on. */
	look_up_fresh_pages();
	if (!take_account().pinned)
		fail("nothing gets pinned: this has to run under the library");
}

void sequence_perform(uint64_t seed, uint64_t only, bool verbose)
{
	static struct step steps[MAX_STEPS];
	unsigned int count = generate(seed, steps);

	progress->seed = seed;
	at_start = take_account();
	for (unsigned int i = 0; i < count; i++)
		if (only >> i & 1 && perform(&steps[i], verbose)) {
			if (!checked)
				check_truth(LOOK);
			check_pinned();
		}
	progress->step = count;
	strcpy(progress->what, " the end");
	release_all();
	check_end();
}
