/*
 * The operations of steps. Each makes one of the calls that map, use or release
 * memory, and reports its effect to memory.c. If the kernel refuses the call,
 * nothing has happened. A quiet call is one that the library does not see.
 */
#define _GNU_SOURCE
#include "operations.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BULK   (MAX_HUGE * HUGE_SIZE / PAGE_SIZE)
#define SINGLE 3

struct behind behind;

/* Called before anything else, as libc's heap must stay small. */
void operations_prepare(void)
{
	void *libc;

	/* The free part of the heap must be too small for MALLOC_PAGES. */
	mallopt(M_TOP_PAD, 0);
	mallopt(M_MMAP_THRESHOLD, 8 * PAGE_SIZE);
	libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	if (!libc)
		fail("there is no libc.so.6 to go behind: %s", dlerror());
	*(void **)&behind.munmap = dlsym(libc, "munmap");
	*(void **)&behind.madvise = dlsym(libc, "madvise");
	*(void **)&behind.mmap = dlsym(libc, "mmap");
	*(void **)&behind.syscall = dlsym(libc, "syscall");
}

/* ---- choosing ------------------------------------------------------------ */

size_t live_areas(void)
{
	size_t count = 0;

	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		count += area->pages > 0;
	return count;
}

struct area *pick(uint32_t slot)
{
	for (size_t i = 0; i < MAX_AREAS; i++) {
		struct area *area = &areas[(slot + i) % MAX_AREAS];

		if (area->pages)
			return area;
	}
	return NULL;
}

struct area *pick_own(uint32_t slot)
{
	struct area *area = pick(slot);

	return area && area->kind != MALLOC && area->kind != HEAP ? area : NULL;
}

struct object *pick_object(uint32_t slot, bool with_fd)
{
	for (size_t i = 0; i < MAX_OBJECTS; i++) {
		struct object *object = &objects[(slot + i) % MAX_OBJECTS];

		if (object->live && (!with_fd || object->fd >= 0))
			return object;
	}
	return NULL;
}

void pick_range(const struct step *step, size_t of, size_t *from, size_t *pages)
{
	*from = step->whole ? 0 : step->from % of;
	*pages = step->whole ? of : 1 + step->pages % (of - *from);
}

struct area *pick_part(const struct step *step)
{
	struct area *area = pick_own(step->slot);
	size_t from, pages;

	if (!area)
		return NULL;
	pick_range(step, area->pages, &from, &pages);
	return area_carve(area, from, pages);
}

size_t odd(const struct step *step, unsigned int shift)
{
	return shift == PAGE_SHIFT && step->odd ? 100 : 0;
}

void say_area(const struct area *area)
{
	say(" %s %p+%zu%s%s", kind_name(area->kind), (void *)area->va, area->pages,
	    area->barred     ? " barred"
	    : area->writable ? ""
			     : " read-only",
	    area->object && !area->shared && area->kind != PRIVATE_FILE ? " as private" : "");
	if (area->object)
		say(" (object %zu, page %zu)", (size_t)(area->object - objects), area->offset);
}

/* ---- using --------------------------------------------------------------- */

void touch(const struct area *area, size_t page, bool write)
{
	volatile char *va = area->va + (page << area->shift) + 64;

	if (area->barred)
		return;
	if (write && area->writable)
		*va = (char)(*va + 1);
	else
		(void)*va;
}

void do_touch(const struct step *step)
{
	struct area *area = pick(step->slot);
	size_t backed = area ? area_backed(area) : 0;
	size_t from, pages;

	if (!backed || area->barred)
		return;
	pick_range(step, backed, &from, &pages);
	for (size_t i = from; i < from + pages; i++)
		touch(area, i, step->write);
	say_area(area);
	say(": %s %zu+%zu", step->write && area->writable ? "write" : "read", from, pages);
}

/* Chooses what to look up: a few pages of 4 KiB, or a whole range. */
static size_t choose_look(const struct step *step, const struct area *area, size_t *first)
{
	unsigned int shift = area->shift - PAGE_SHIFT;
	size_t pages;

	pick_range(step, area->pages, first, &pages);
	*first <<= shift;
	pages <<= shift;
	if (step->how % 3 == 0)
		return pages;
	*first += step->other % pages;
	pages -= step->other % pages;
	return pages < SINGLE ? pages : SINGLE;
}

static bool no_device_lends;

/* io_uring cannot pin read-only memory. */
bool read_only_is_refused(void)
{
	return pins_by_uring() || no_device_lends;
}

/*
 * New pins need the rights that were dropped, and so does a device that lends its page
 * table. If that was tried in vain, no device is looked for any more.
 */
static bool may_be_refused(const struct area *area, int error)
{
	no_device_lends |= lends_later() && rights_are_dropped() && error == EFAULT;
	return (read_only_is_refused() && error == EFAULT && !area->writable) ||
	       (rights_are_dropped() && (error == EPERM || error == EACCES));
}

void do_look_up(const struct step *step)
{
	static uint64_t entries[BULK];
	struct area *area = pick(step->slot);
	enum way way = step->how % 3 ? step->how % WAYS : KEPT_PREAD;
	size_t first, pages;
	int error;

	if (!area || !rights_may_look_up())
		return;
	if (rights_are_dropped())
		way = KEPT_PREAD;
	pages = choose_look(step, area, &first);
	say_area(area);
	say(": %zu+%zu %s", first, pages, way == KEPT_PREAD ? "by pread" : "by seek and read");
	error = try_look_up(way, area->va + first * PAGE_SIZE, pages, entries);
	if (error && !may_be_refused(area, error))
		fail("looking up %zu pages at %p: %s", pages, (void *)area->va, strerror(error));
	if (error) {
		say(": refused");
		memory_ask(pages);
		memory_doubt(pages);
		return;
	}
	check_truth(LOOK);
	check_answer(getpid(), area, first, entries, pages);
}

/* After this many lookups of fresh pages the library makes a mark (pin/mark.h). */
#define SWEEPS 8

void do_move(const struct step *step)
{
	/* A sweep first finds where pages are that were moved or released quietly. */
	bool sweep = step->whole && !rights_are_dropped();

	for (int i = 0; sweep && i < SWEEPS; i++)
		look_up_fresh_pages();
	say(sweep ? " all, after a sweep" : " all");
	check_truth(LOOK_AFTER_MOVING);
	check_objects();
}

/* clang-format off */
const struct operation operations[OPERATIONS] = {
	{ "map", 180, do_map },
	{ "touch", 160, do_touch },
	{ "look up", 260, do_look_up },
	{ "alias", 80, do_alias },
	{ "unmap", 90, do_unmap },
	{ "map over", 40, do_over },
	{ "mremap", 80, do_remap },
	{ "madvise", 60, do_advise },
	{ "punch", 25, do_punch },
	{ "truncate", 20, do_truncate },
	{ "shmdt", 15, do_detach },
	{ "close", 15, do_close },
	{ "fork", 9, do_fork },
	{ "spawn", 6, do_spawn },
	{ "clone", 5, do_clone },
	{ "daemon", 3, do_daemon },
	{ "realloc", 25, do_realloc },
	{ "map over itself", 15, do_over_itself },
	{ "mprotect", 25, do_protect },
	{ "rights", 12, do_rights },
	{ "move", 35, do_move },
};
/* clang-format on */
