/*
 * A sequence of steps, and what must be true after each of them.
 *
 * A step consists of random numbers only and has a meaning in any state, so that
 * a sequence stays valid when steps are removed from it.
 */
#define _GNU_SOURCE
#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIN_STEPS 5

static struct progress *progress;
static struct account at_start, now;
static struct { /* at the end of the last step */
	uint64_t pinned;
	size_t released;
	size_t asked; /* SIZE_MAX: fresh pages were looked up since */
} prior;
static bool counting_all;	/* pins are counted for the whole system */
static bool is_another_process; /* this process did not begin the sequence */
static bool checked;		/* check_truth() was the last thing in this step */

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

static void check_area(const struct area *area, const uint64_t *entries, enum look how)
{
	for (size_t i = 0; i < area->pages; i++) {
		uint64_t owed = area_owed(area, i);

		/* A private mapping may have got its own copy in this step. */
		if (!area->shared && !area->told[i] && how == LOOK)
			continue;

		if (!owed || (entries[i] & PRESENT && (entries[i] & PFN) == owed))
			continue;
		/* A page of an object can exist without an entry in the page table. */
		if (area->shared && !(entries[i] & PRESENT))
			continue;
		fail("page %zu of %s %p is at frame 0x%llx, its address was said to be 0x%llx", i,
		     kind_name(area->kind), (void *)area->va,
		     entries[i] & PRESENT ? entries[i] & PFN : 0ULL, (unsigned long long)owed);
	}
}

/*
 * The library's own pins by iommufd: its window's claim and the iommufd's identity. If a
 * device lends its page table in a sequence, they come during it.
 */
#define OWN_PAGES 2

static size_t own_pages(void)
{
	return (is_another_process && !pins_by_uring() ? OWN_PAGES : 0) +
	       (lends_later() ? OWN_PAGES : 0);
}

/*
 * Unpinned pages may still be counted for a moment, and io_uring unpins them up to a
 * second later before Linux 6.5.
 */
#define SETTLE_TRIES 1500
#define SETTLE_US    2000 /* between two tries */

static struct account take_account(void)
{
	return observer_look(LOOK, getpid(), NULL, 0, NULL);
}

/*
 * The library pins no more pages ahead than the program has asked for. A step that looks
 * nothing up pins nothing, and the pages that it releases, not quietly, are unpinned. This
 * stricter limit does not hold without the right to see frames, as the library then cannot
 * see at once what is gone, nor with io_uring, which may keep a single pin of a folio.
 */
static int64_t most_pinned(size_t owed)
{
	int64_t most = (int64_t)(owed + memory_asked() + memory_stale() + own_pages());
	int64_t left = (int64_t)(prior.pinned - at_start.pinned) -
		       (int64_t)(memory_released() - prior.released);
	bool looks_up = memory_asked() != prior.asked;

	return !looks_up && !counting_all && rights_show_frames() && left < most ? left : most;
}

static void check_pinned(void)
{
	size_t told, owed;
	int64_t pinned, most;

	memory_count(&told, &owed);
	most = most_pinned(owed);
	pinned = (int64_t)(now.pinned - at_start.pinned);
	for (int i = 0; counting_all && pinned > most && i < SETTLE_TRIES; i++) {
		usleep(SETTLE_US);
		now = take_account();
		pinned = (int64_t)(now.pinned - at_start.pinned);
	}
	/* io_uring may keep a single pin for all pages of a folio. */
	if (!counting_all && pinned < (int64_t)told)
		fail("%lld pages are pinned and %zu were looked up", (long long)pinned, told);
	if (pinned > most)
		fail("%lld pages are pinned and only %zu in use, at most %lld can be",
		     (long long)pinned, owed, (long long)most);
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
	for (struct area *area = areas; area < areas + MAX_AREAS; area++) {
		check_area(area, at, how);
		memcpy(area->seen, at, area->pages * sizeof(*at));
		at += area->pages;
	}
	objects_looked_at();
}

static bool is_covered(const struct object *object, size_t at)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && area->object == object && at >= area->offset &&
		    at - area->offset < area->pages)
			return true;
	return false;
}

/*
 * io_uring holds all that was registered together while any of it is taken to be mapped.
 * What cannot be written to cannot be registered again, alone.
 */
static bool may_be_held(const struct object *object)
{
	for (size_t i = 0; i < object->pages && i < MAX_OBJECT_PAGES; i++)
		if (object->doubtful[i])
			return true;
	for (const struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && area->object == object && (area->barred || !area->writable))
			return true;
	return false;
}

/* No mapping is left of the page, and nothing else keeps it pinned. */
static bool is_freed(const struct object *object, size_t at)
{
	if (counting_all && may_be_held(object))
		return false;
	return object->freed[at] && !is_covered(object, at);
}

static void check_object(const struct object *object)
{
	uint64_t before[MAX_OBJECT_PAGES], after[MAX_OBJECT_PAGES], mask = 0;
	size_t number = (size_t)(object - objects);
	unsigned int shift = kind_shift(object->kind);

	for (size_t at = 0; at < object->pages && at < MAX_OBJECT_PAGES; at++)
		if ((object->kept[at] && !object->faint[at]) ||
		    (shift == PAGE_SHIFT && is_freed(object, at)))
			mask |= 1ULL << at;
	if (!mask)
		return;
	observer_look_at_file(object->fd, shift, mask, before, after);
	for (size_t at = 0; at < MAX_OBJECT_PAGES; at++) {
		if (!(mask >> at & 1))
			continue;
		if (!object->kept[at] && before[at] & PRESENT &&
		    (before[at] & PFN) == (after[at] & PFN))
			fail("page %zu of object %zu cannot be moved from frame 0x%llx, and nothing "
			     "is mapped to it",
			     at, number, before[at] & PFN);
		if (object->kept[at] && (after[at] & PFN) != object->kept[at])
			fail("page %zu of object %zu was at frame 0x%llx, is at 0x%llx, its address "
			     "was said to be 0x%llx",
			     at, number, before[at] & PFN, after[at] & PFN,
			     (unsigned long long)object->kept[at]);
	}
}

void check_objects(void)
{
	for (struct object *object = objects; object < objects + MAX_OBJECTS; object++)
		if (object->live && object->fd >= 0)
			check_object(object);
}

/* The entry of a page of 4 KiB, computed from that of the area's page around it. */
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
	const uint64_t *true_entries = area->seen;
	static uint64_t others[MAX_PAGES];
	uint64_t since = 0;

	/* A child's answer: other mappings of the pages may have changed since. */
	if (pid != getpid()) {
		since = EXCLUSIVE;
		observer_look(LOOK, pid, &range, 1, others);
		true_entries = others;
	} else {
		memory_ask(count); /* present or not */
	}
	/* Only pinned pages have a frame then, and pages that it may not read are not pinned. */
	if (area->barred && !rights_show_frames())
		since |= PFN;
	for (size_t i = 0; i < count; i++) {
		uint64_t entry = true_entry(area, true_entries, first + i);
		size_t page = (first + i) >> shift;

		if ((entries[i] ^ entry) & ~since)
			fail("%s %p, page %zu: the answer is %016llx, the truth %016llx",
			     kind_name(area->kind), (void *)area->va, first + i,
			     (unsigned long long)entries[i], (unsigned long long)entry);
		/* A page that the program may not read is not pinned. */
		if (entry & PRESENT && pid == getpid() && !area->barred)
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
 * A lookup of new pages makes the library search for stale pins. Nothing else is mapped at
 * these addresses or behind them, so that no later lookup seems to continue this one.
 */
void look_up_fresh_pages(void)
{
	static void *va;
	uint64_t entries[FRESH_PAGES];

	if (!va)
		va = map_fresh(NULL, FRESH_PAGES + 1, PROT_NONE, 0);
	map_fresh(va, FRESH_PAGES, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_POPULATE);
	look_up(KEPT_PREAD, va, FRESH_PAGES, entries);
	map_fresh(va, FRESH_PAGES, PROT_NONE, MAP_FIXED);
	prior.asked = SIZE_MAX;
}

static bool all_is_back(const struct account *end)
{
	return end->pinned <= at_start.pinned + own_pages() && end->pinned >= at_start.pinned &&
	       end->huge_free == at_start.huge_free;
}

static void check_same(const char *what, uint64_t end, uint64_t start)
{
	if (end != start)
		fail("%llu %s at the end, %llu at the start", (unsigned long long)end, what,
		     (unsigned long long)start);
}

#define ALL_LOOKUPS 64

static void check_end(void)
{
	struct account at_end;

	look_up_fresh_pages();
	at_end = take_account();
	/*
	 * The library finds what was released quietly during lookups, at the latest after
	 * lookups of 64 pages plus an eighth of the process's pages. It finds the pins of
	 * ended children at one of 64 lookups; in a daemon these could pass for OWN_PAGES.
	 */
	for (size_t i = 0; i <= memory_stale() + ALL_LOOKUPS &&
			   (!all_is_back(&at_end) || (is_another_process && i < ALL_LOOKUPS));
	     i++) {
		look_up_fresh_pages();
		at_end = take_account();
	}
	for (int i = 0; counting_all && i < SETTLE_TRIES && !all_is_back(&at_end); i++) {
		usleep(SETTLE_US);
		at_end = take_account();
	}
	if (!all_is_back(&at_end)) {
		check_same("pages are pinned", at_end.pinned, at_start.pinned);
		check_same("huge pages are free", at_end.huge_free, at_start.huge_free);
	}
	memory_forget_stale();
}

/* Returns true if the step has done anything. */
static bool perform(const struct step *step, bool verbose)
{
	progress->step = step->number;
	progress->what[0] = '\0';
	checked = false;
	prior.pinned = now.pinned;
	prior.released = memory_released();
	prior.asked = memory_asked();
	operations[step->operation].perform(step);
	if (verbose && progress->what[0])
		printf("%3u  %s%s\n", step->number, operations[step->operation].name,
		       progress->what);
	return progress->what[0];
}

static bool backend_is(const char *name)
{
	const char *backend = getenv("NOIOMMU_SHIM_BACKEND");

	return !strcmp(backend ? backend : "auto", name);
}

bool pins_by_uring(void)
{
	return backend_is("uring");
}

bool lends_later(void)
{
	return backend_is("auto");
}

void sequence_prepare(struct progress *where)
{
	uint64_t before, entry;
	void *va;

	progress = where;
	/* From now on the library may keep pages pinned for itself. */
	look_up_fresh_pages();
	/* Some kernels count buffers of io_uring for the process, and unpin them later. */
	if (backend_is("iommufd") && take_account().pinned)
		return;
	observer_count_all();
	counting_all = true;
	before = take_account().pinned;
	va = map_fresh(NULL, 1, PROT_READ | PROT_WRITE, MAP_POPULATE);
	look_up(KEPT_PREAD, va, 1, &entry);
	if (take_account().pinned == before)
		fail("nothing gets pinned: this has to run under the library");
	munmap(va, PAGE_SIZE);
	if (take_account().pinned != before)
		usleep(SETTLE_TRIES * SETTLE_US / 2);
}

void sequence_continues(void)
{
	is_another_process = true;
	progress->worker = getpid();
	if (!counting_all)
		at_start.pinned = 0;
	prior.asked = SIZE_MAX;
}

void sequence_perform(uint64_t seed, uint64_t only, bool verbose)
{
	static struct step steps[MAX_STEPS];
	unsigned int count = generate(seed, steps);

	progress->seed = seed;
	is_another_process = false;
	now = at_start = take_account();
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
