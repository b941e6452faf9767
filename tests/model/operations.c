/*
 * What a step does: one call of the many by which memory comes and goes, and
 * what it means for the model. Where the kernel may refuse a call, nothing has
 * happened then. A quiet call is made where no library sees it.
 */
#define _GNU_SOURCE
#include "model.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <malloc.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* Missing in older headers. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

#define RW	      (PROT_READ | PROT_WRITE)
#define MAX_MAPPED    10
#define MAX_SMALL     16
#define MAX_HUGE      2
#define MALLOC_HEADER 16
#define MALLOC_PAGES  16
#define BULK	      (MAX_HUGE * HUGE_SIZE / PAGE_SIZE)
#define SINGLE	      3

/* libc's own functions, as libc itself calls them. */
static struct {
	int (*munmap)(void *, size_t);
	int (*madvise)(void *, size_t, int);
	void *(*mmap)(void *, size_t, int, int, int, off_t);
} behind;

/* To be called before anything else: libc's heap is to stay small. */
void operations_prepare(void)
{
	void *libc;

	/* So that nothing of MALLOC_PAGES fits in what the heap has left. */
	mallopt(M_TOP_PAD, 0);
	mallopt(M_MMAP_THRESHOLD, 8 * PAGE_SIZE);
	libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	if (!libc)
		fail("there is no libc.so.6 to go behind: %s", dlerror());
	*(void **)&behind.munmap = dlsym(libc, "munmap");
	*(void **)&behind.madvise = dlsym(libc, "madvise");
	*(void **)&behind.mmap = dlsym(libc, "mmap");
}

/* ---- choosing ------------------------------------------------------------ */

static size_t live_areas(void)
{
	size_t count = 0;

	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		count += area->pages > 0;
	return count;
}

/* The first area from a slot on, in a circle. */
static struct area *pick(uint32_t slot)
{
	for (size_t i = 0; i < MAX_AREAS; i++) {
		struct area *area = &areas[(slot + i) % MAX_AREAS];

		if (area->pages)
			return area;
	}
	return NULL;
}

/* The same, of those that belong to the program and not to an allocator. */
static struct area *pick_own(uint32_t slot)
{
	struct area *area = pick(slot);

	return area && area->kind != MALLOC && area->kind != HEAP ? area : NULL;
}

static struct object *pick_object(uint32_t slot, bool with_fd)
{
	for (size_t i = 0; i < MAX_OBJECTS; i++) {
		struct object *object = &objects[(slot + i) % MAX_OBJECTS];

		if (object->live && (!with_fd || object->fd >= 0))
			return object;
	}
	return NULL;
}

static void pick_range(const struct step *step, size_t of, size_t *from, size_t *pages)
{
	*from = step->whole ? 0 : step->from % of;
	*pages = step->whole ? of : 1 + step->pages % (of - *from);
}

/* Some of an area, as an area of its own. */
static struct area *pick_part(const struct step *step)
{
	struct area *area = pick_own(step->slot);
	size_t from, pages;

	if (!area)
		return NULL;
	pick_range(step, area->pages, &from, &pages);
	return area_carve(area, from, pages);
}

/* Lengths need not be of whole pages: the kernel rounds them, one way or the other. */
static size_t odd(const struct step *step, unsigned int shift)
{
	return shift == PAGE_SHIFT && step->odd ? 100 : 0;
}

static void say_area(const struct area *area)
{
	say(" %s %p+%zu%s%s", kind_name(area->kind), (void *)area->va, area->pages,
	    area->writable ? "" : " read-only",
	    area->object && !area->shared && area->kind != PRIVATE_FILE ? " as private" : "");
	if (area->object)
		say(" (object %zu, page %zu)", (size_t)(area->object - objects), area->offset);
}

/* ---- mapping ------------------------------------------------------------- */

/* Address space for something that shall come to lie there: around a multiple of align. */
static char *reserve(size_t before, size_t size, size_t align)
{
	size_t all = before + size + align;
	char *va = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *place;

	if (va == MAP_FAILED)
		fail("reserving %zu bytes: %s", all, strerror(errno));
	place = (char *)(((uintptr_t)va + before + align - 1) & ~(align - 1)) - before;
	if (place > va)
		munmap(va, (size_t)(place - va));
	munmap(place + before + size, (size_t)(va + all - place) - before - size);
	return place;
}

/* Where small pages move to is across the border of what one page table covers. */
static char *reserve_for(const struct area *area)
{
	size_t before = area->shift == PAGE_SHIFT ? area->pages / 2 * PAGE_SIZE : 0;

	return reserve(before, area_size(area) - before, HUGE_SIZE);
}

static int open_file(enum kind kind)
{
	if (kind == MEMFD)
		return memfd_create("model", MFD_CLOEXEC);
	if (kind == HUGE_MEMFD)
		return memfd_create("model", MFD_CLOEXEC | MFD_HUGETLB);
	return open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* What can be mapped more than once. NULL: not now. */
static struct object *make_object(enum kind kind, size_t pages)
{
	struct object *object = object_new(kind, pages);

	if (!object)
		return NULL;
	switch (kind) {
	case MEMFD:
	case TMPFS:
	case PRIVATE_FILE:
	case HUGE_MEMFD:
		object->fd = open_file(kind);
		if (object->fd < 0 || ftruncate(object->fd, (off_t)(pages << kind_shift(kind))) < 0)
			fail("making a %s: %s", kind_name(kind), strerror(errno));
		break;
	case CODE:
		object->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		break;
	case SYSV:
		object->shm = shmget(IPC_PRIVATE, pages * PAGE_SIZE, 0600);
		if (object->shm < 0)
			fail("shmget: %s", strerror(errno));
		break;
	default:
		break;
	}
	return object;
}

static bool has_object(enum kind kind)
{
	switch (kind) {
	case SHARED:
	case MEMFD:
	case TMPFS:
	case PRIVATE_FILE:
	case CODE:
	case SYSV:
	case HUGE_SHARED:
	case HUGE_MEMFD:
		return true;
	default:
		return false;
	}
}

static int huge_flag(enum kind kind)
{
	return kind == HUGE_PRIVATE || kind == HUGE_SHARED ? MAP_HUGETLB : 0;
}

/* By mmap(), anywhere or, over what is there, at a fixed address. NULL: refused. */
static char *map_at(const struct area *as, char *at, bool populate, bool quiet)
{
	bool anonymous = !as->object || as->object->fd < 0;
	int prot = as->kind == RESERVED ? PROT_NONE : as->writable ? RW : PROT_READ;
	int flags = (as->shared ? MAP_SHARED : MAP_PRIVATE) | (anonymous ? MAP_ANONYMOUS : 0) |
		    (at ? MAP_FIXED : 0) | (populate ? MAP_POPULATE : 0) | huge_flag(as->kind);
	off_t offset = anonymous ? 0 : (off_t)(as->offset << as->shift);
	char *va = (quiet ? behind.mmap : mmap)(at, area_size(as), prot, flags,
						anonymous ? -1 : as->object->fd, offset);

	return va == MAP_FAILED ? NULL : va;
}

/* System V calls take no shared memory but whole, and have no address for it. */
static char *attach(struct object *object)
{
	void *va = shmat(object->shm, NULL, 0);

	return va == (void *)-1 ? NULL : va;
}

static char *map_thp(size_t size)
{
	char *va = reserve(0, size, HUGE_SIZE);

	if (mmap(va, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != va ||
	    madvise(va, size, MADV_HUGEPAGE) < 0)
		fail("a transparent huge page: %s", strerror(errno));
	return va;
}

static char *map_heap(size_t size)
{
	uintptr_t end = (uintptr_t)sbrk(0);
	size_t gap = -end % PAGE_SIZE;

	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && area->kind == HEAP && area->va)
			return NULL; /* only the last can be given back */
	return sbrk((intptr_t)(gap + size)) == (void *)-1 ? NULL : (char *)end + gap;
}

/* Of this size it has a mapping of its own, and libc a few words at its beginning. */
static char *map_malloc(size_t size)
{
	char *va = malloc(size - 2 * MALLOC_HEADER);

	if ((uintptr_t)va % PAGE_SIZE != MALLOC_HEADER)
		fail("malloc(%zu) has no mapping of its own", size - 2 * MALLOC_HEADER);
	return va - MALLOC_HEADER;
}

/* libc gives the mapping back by itself. */
static void release_malloc(struct area *area)
{
	free((void *)((uintptr_t)area->va + MALLOC_HEADER));
	area_unmapped(area, true);
}

static char *map_new(const struct area *as, bool populate)
{
	switch (as->kind) {
	case SYSV:
		return attach(as->object);
	case THP:
		return map_thp(area_size(as));
	case HEAP:
		return map_heap(area_size(as));
	case MALLOC:
		return map_malloc(area_size(as));
	default:
		return map_at(as, NULL, populate, false);
	}
}

static size_t choose_pages(const struct step *step, enum kind kind)
{
	if (kind == THP)
		return HUGE_SIZE / PAGE_SIZE;
	if (kind == MALLOC)
		return MALLOC_PAGES + step->pages % MAX_SMALL;
	if (kind == CODE)
		return 1 + step->pages % 4;
	return 1 + step->pages % (kind_shift(kind) == HUGE_SHIFT ? MAX_HUGE : MAX_SMALL);
}

static bool can_be_read_only(enum kind kind)
{
	return kind != SYSV && kind != THP && kind != HEAP && kind != MALLOC;
}

/* A new area and, where its kind has one, its object; not mapped yet. */
static struct area *make_area(const struct step *step, enum kind kind, size_t pages)
{
	struct area *area = area_new(kind, NULL, pages);

	if (!area)
		return NULL;
	area->writable =
		kind != CODE && kind != RESERVED && (step->how % 6 || !can_be_read_only(kind));
	if (has_object(kind)) {
		area->shared = kind != PRIVATE_FILE && kind != CODE;
		area->object = make_object(kind, pages);
		if (!area->object) {
			area->pages = 0;
			return NULL;
		}
	}
	return area;
}

/* Nothing was mapped, and with it goes an object that was made for it. */
static void unmake(struct area *area, const char *why)
{
	struct object *object = area->object;

	say(" %s", why);
	area_unmapped(area, false);
	if (object && object->fd >= 0)
		object_close(object);
}

static void do_map(const struct step *step)
{
	static const unsigned char kinds[] = {
		PRIVATE,    PRIVATE,	PRIVATE,  PRIVATE,	PRIVATE,      PRIVATE,
		SHARED,	    SHARED,	SHARED,	  MEMFD,	MEMFD,	      MEMFD,
		MEMFD,	    TMPFS,	TMPFS,	  TMPFS,	PRIVATE_FILE, PRIVATE_FILE,
		CODE,	    SYSV,	SYSV,	  SYSV,		MALLOC,	      MALLOC,
		HEAP,	    HEAP,	RESERVED, HUGE_PRIVATE, HUGE_PRIVATE, HUGE_SHARED,
		HUGE_MEMFD, HUGE_MEMFD, THP,
	};
	enum kind kind = kinds[step->kind % sizeof(kinds)];
	struct area *area;

	if (live_areas() >= MAX_MAPPED)
		return;
	area = make_area(step, kind, choose_pages(step, kind));
	if (!area)
		return;
	area->va = map_new(area, step->write);
	if (kind == SYSV)
		shmctl(area->object->shm, IPC_RMID, NULL);
	if (!area->va) {
		unmake(area, "refused");
		return;
	}
	say_area(area);
	say(step->write ? " populated" : "");
}

/* The same pages once more. */
static void do_alias(const struct step *step)
{
	struct object *object = pick_object(step->slot, false);
	struct area *area, *from = NULL;
	size_t first, pages;

	if (!object || !object->pages || live_areas() >= MAX_MAPPED)
		return;
	for (size_t i = 0; i < MAX_AREAS; i++)
		if (areas[i].pages && areas[i].object == object && areas[i].shared)
			from = &areas[i];
	pick_range(step, object->pages, &first, &pages);
	if (object->fd < 0) {
		if (!from)
			return;
		first = from->offset;
		pages = from->pages;
	}
	if (object->shm >= 0) {
		first = 0;
		pages = object->pages;
	}
	area = area_new(object->kind, NULL, pages);
	if (!area)
		return;
	area->object = object;
	area->offset = first;
	area->shared =
		from || (object->kind != CODE && (step->other % 4 || area->shift == HUGE_SHIFT));
	area->writable = object->kind != CODE &&
			 (from && object->fd < 0 ? from->writable : step->how % 6 > 0);
	if (object->shm >= 0) {
		area->va = attach(object);
		area->writable = true;
	} else if (object->fd >= 0) {
		area->va = map_at(area, NULL, step->write, false);
	} else {
		area->va = mremap(from->va, 0, area_size(from), MREMAP_MAYMOVE);
		if (area->va == MAP_FAILED)
			area->va = NULL;
	}
	if (area->va) {
		say_area(area);
	} else {
		say(" refused");
		area_unmapped(area, false);
	}
}

/* Something new over what is there. */
static void do_over(const struct step *step)
{
	static const enum kind small[] = {PRIVATE, PRIVATE, SHARED, MEMFD, RESERVED};
	static const enum kind huge[] = {HUGE_PRIVATE, HUGE_MEMFD, RESERVED};
	struct area *old = pick_part(step), *area;
	bool is_huge = old && old->shift == HUGE_SHIFT;
	enum kind kind;

	if (!old)
		return;
	kind = is_huge ? huge[step->kind % ARRAY_SIZE(huge)]
		       : small[step->kind % ARRAY_SIZE(small)];
	if (old->pages > MAX_OBJECT_PAGES)
		kind = RESERVED;
	area = make_area(step, kind, old->pages);
	if (!area)
		return;
	area->shift = old->shift;
	area->va = map_at(area, old->va, step->write, step->quiet);
	if (!area->va)
		return unmake(area, "refused");
	say_area(old);
	say(" by");
	say_area(area);
	say(step->quiet ? " quietly" : "");
	area_unmapped(old, step->quiet);
}

/* ---- using --------------------------------------------------------------- */

static void touch(const struct area *area, size_t page, bool write)
{
	volatile char *va = area->va + (page << area->shift) + 64;

	if (write && area->writable)
		*va = (char)(*va + 1);
	else
		(void)*va;
}

static void do_touch(const struct step *step)
{
	struct area *area = pick(step->slot);
	size_t backed = area ? area_backed(area) : 0;
	size_t from, pages;

	if (!backed)
		return;
	pick_range(step, backed, &from, &pages);
	for (size_t i = from; i < from + pages; i++)
		touch(area, i, step->write);
	say_area(area);
	say(": %s %zu+%zu", step->write && area->writable ? "write" : "read", from, pages);
}

/* What is looked up: some pages of 4 KiB by themselves, or all of a range at once. */
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

static void do_look_up(const struct step *step)
{
	static uint64_t entries[BULK];
	struct area *area = pick(step->slot);
	enum way way = step->how % 3 ? step->how % WAYS : KEPT_PREAD;
	size_t first, pages;

	if (!area)
		return;
	pages = choose_look(step, area, &first);
	say_area(area);
	say(": %zu+%zu %s", first, pages, way == KEPT_PREAD ? "by pread" : "by seek and read");
	look_up(way, area->va + first * PAGE_SIZE, pages, entries);
	check_truth(LOOK);
	check_answer(getpid(), area, first, entries, pages);
}

/* ---- giving back --------------------------------------------------------- */

/* The end of the heap is all that can be given back of it. */
static void shrink_heap(struct area *area, size_t keep, size_t odd, bool by_brk)
{
	char *end = area->va + keep * PAGE_SIZE - (keep ? odd : 0), *old = sbrk(0);
	struct area *rest = area_carve(area, keep, area->pages - keep);

	if (!rest)
		return;
	if ((size_t)(rest->va + area_size(rest) - old) >= PAGE_SIZE)
		fail("somebody else has used the heap");
	if (by_brk ? brk(end) : sbrk(end - old) == (void *)-1)
		fail("shrinking the heap: %s", strerror(errno));
	area_unmapped(rest, false);
}

static void do_unmap(const struct step *step)
{
	struct area *area = pick(step->slot);
	size_t size;

	if (!area)
		return;
	if (area->kind == MALLOC) {
		say_area(area);
		release_malloc(area);
	} else if (area->kind == HEAP) {
		say_area(area);
		shrink_heap(area, step->whole ? 0 : step->from % area->pages, odd(step, PAGE_SHIFT),
			    step->write);
	} else if ((area = pick_part(step))) {
		size = area_size(area) - odd(step, area->shift);
		say_area(area);
		say(step->quiet ? " quietly" : "");
		if ((step->quiet ? behind.munmap : munmap)(area->va, size) < 0)
			fail("munmap: %s", strerror(errno));
		area_unmapped(area, step->quiet);
	}
}

static void do_advise(const struct step *step)
{
	static const struct {
		const char *name;
		int advice;
	} advices[] = {
		{"DONTNEED", MADV_DONTNEED},
		{"DONTNEED", MADV_DONTNEED},
		{"FREE", MADV_FREE},
		{"REMOVE", MADV_REMOVE},
		{"DONTNEED_LOCKED", MADV_DONTNEED_LOCKED},
		{"guard", MADV_GUARD_INSTALL},
		{"PAGEOUT", MADV_PAGEOUT},
		{"COLLAPSE", MADV_COLLAPSE},
	};
	struct area *area = pick(step->slot);
	int advice = advices[step->how % ARRAY_SIZE(advices)].advice;
	bool quiet = step->quiet && advice == MADV_DONTNEED;
	size_t from, pages;

	/* Beyond the end of a file there is nothing that could be removed. */
	if (!area || area->kind == MALLOC || (advice == MADV_REMOVE && !area_backed(area)))
		return;
	pick_range(step, advice == MADV_REMOVE ? area_backed(area) : area->pages, &from, &pages);
	say_area(area);
	say(": %s %zu+%zu%s", advices[step->how % ARRAY_SIZE(advices)].name, from, pages,
	    quiet ? " quietly" : "");
	if ((quiet ? behind.madvise : madvise)(area->va + (from << area->shift),
					       (pages << area->shift) - odd(step, area->shift),
					       advice) < 0)
		say(" refused");
	else if (advice == MADV_REMOVE)
		object_discarded(area->object, area->offset + from, pages, false);
	else if (advice != MADV_PAGEOUT && advice != MADV_COLLAPSE)
		area_discarded(area, from, pages, quiet || advice == MADV_FREE);
	if (advice == MADV_GUARD_INSTALL)
		madvise(area->va + (from << area->shift), pages << area->shift, MADV_GUARD_REMOVE);
}

static void do_punch(const struct step *step)
{
	struct object *object = pick_object(step->slot, true);
	unsigned int shift = object ? kind_shift(object->kind) : 0;
	size_t from, pages;

	if (!object || object->kind == CODE || !object->pages)
		return;
	pick_range(step, object->pages, &from, &pages);
	say(" object %zu: %zu+%zu", (size_t)(object - objects), from, pages);
	/* A bit more than these pages is still no other page. */
	if (fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)((from << shift) - (from ? odd(step, shift) : 0)),
		      (off_t)((pages << shift) + 2 * odd(step, shift))) < 0)
		fail("punching a hole: %s", strerror(errno));
	object_discarded(object, from, pages, false);
}

static int truncate_by_open(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
	return fd < 0 ? fd : close(fd);
}

/* A file that is cut takes the private copies of its pages along. */
static void do_truncate(const struct step *step)
{
	struct object *object = pick_object(step->slot, true);
	size_t pages, size;

	if (!object || object->kind == CODE)
		return;
	pages = step->pages % (object->max_pages + 1);
	say(" object %zu: %zu to %zu", (size_t)(object - objects), object->pages, pages);
	size = (pages << kind_shift(object->kind)) -
	       (pages ? odd(step, kind_shift(object->kind)) : 0);
	if ((size || step->slot % 2 ? ftruncate(object->fd, (off_t)size)
				    : truncate_by_open(object->fd)) < 0)
		fail("truncating: %s", strerror(errno));
	if (pages < object->pages)
		object_discarded(object, pages, object->pages - pages, true);
	object->pages = pages;
}

/* All that is left of an attachment, and no more of it has to be than a part. */
static void do_detach(const struct step *step)
{
	struct area *area = NULL;
	struct object *object;
	char *base;

	for (size_t i = 0; i < MAX_AREAS && (!area || area->kind != SYSV); i++)
		area = pick(step->slot + (uint32_t)i);
	if (!area || area->kind != SYSV)
		return;
	object = area->object;
	base = area->va - area->offset * PAGE_SIZE;
	say(" %p of object %zu", (void *)base, (size_t)(object - objects));
	if (shmdt(base) < 0)
		fail("shmdt: %s", strerror(errno));
	for (area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && area->object == object &&
		    area->va - area->offset * PAGE_SIZE == base)
			area_unmapped(area, false);
}

static void do_close(const struct step *step)
{
	struct object *object = pick_object(step->slot, true);

	if (!object)
		return;
	say(" object %zu", (size_t)(object - objects));
	object_close(object);
}

/* ---- mremap -------------------------------------------------------------- */

static void shrink(struct area *area, size_t keep, size_t odd)
{
	char *va = area->va;
	size_t size = area_size(area), kept = (keep << area->shift) - odd;
	struct area *rest = keep ? area_carve(area, keep, area->pages - keep) : NULL;

	if (!rest)
		return;
	say(" to %zu", keep);
	if (mremap(va, size, kept, 0) != va)
		fail("shrinking by mremap: %s", strerror(errno));
	area_unmapped(rest, false);
}

static void grow(struct area *area, size_t more)
{
	size_t pages = area->pages + more;
	char *va;

	if (area->kind == SYSV || area->kind == CODE || area->shift == HUGE_SHIFT ||
	    area->offset + pages > MAX_OBJECT_PAGES)
		return;
	say(" to %zu", pages);
	va = mremap(area->va, area_size(area), pages << area->shift, MREMAP_MAYMOVE);
	if (va == MAP_FAILED)
		fail("growing by mremap: %s", strerror(errno));
	area->va = va;
	area->pages = pages;
}

static void move_away(struct area *area)
{
	char *to = reserve_for(area);

	say(" to %p", (void *)to);
	if (mremap(area->va, area_size(area), area_size(area), MREMAP_MAYMOVE | MREMAP_FIXED, to) !=
	    to)
		fail("moving by mremap: %s", strerror(errno));
	area->va = to;
}

static void move_over(struct area *area, struct area *other)
{
	size_t pages;
	char *to;

	if (!other || other == area || other->shift != area->shift)
		return;
	pages = area->pages < other->pages ? area->pages : other->pages;
	area = area_carve(area, 0, pages);
	other = area ? area_carve(other, 0, pages) : NULL;
	if (!other)
		return;
	say(" over");
	say_area(other);
	to = other->va;
	if (mremap(area->va, area_size(area), area_size(area), MREMAP_MAYMOVE | MREMAP_FIXED, to) !=
	    to)
		fail("moving by mremap: %s", strerror(errno));
	area_unmapped(other, false);
	area->va = to;
}

/* The pages go to a new mapping, and the old one stays. */
static void move_out(struct area *area, bool fixed)
{
	int flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP | (fixed ? MREMAP_FIXED : 0);
	struct area *new = area_new(area->kind, NULL, area->pages);
	char *to, *wanted = NULL;

	if (!new)
		return;
	if (fixed)
		wanted = reserve_for(area);
	to = mremap(area->va, area_size(area), area_size(area), flags, wanted);
	if (to == MAP_FAILED) {
		say(" refused");
		new->pages = 0;
		if (fixed)
			munmap(wanted, area_size(area));
		return;
	}
	say(" to %p", (void *)to);
	*new = *area;
	new->va = to;
	memset(area->told, 0, sizeof(area->told));
}

static void do_remap(const struct step *step)
{
	struct area *area = pick_part(step);

	if (!area || area->kind == RESERVED)
		return;
	say_area(area);
	switch (step->how % 7) {
	case 0:
		say(": shrink");
		shrink(area, step->other % area->pages, odd(step, area->shift));
		break;
	case 1:
		say(": grow");
		grow(area, 1 + step->other % 8);
		break;
	case 2:
	case 3:
		say(": move");
		move_away(area);
		break;
	case 4:
		say(": move");
		move_over(area, pick_own(step->other));
		break;
	default:
		say(": move, do not unmap,");
		move_out(area, step->how % 7 == 5);
	}
}

/* ---- processes ----------------------------------------------------------- */

/* Looks up, tells, and waits until all of that has been compared. */
static void child(int parent, const struct area *area, size_t pages)
{
	uint64_t entries[MAX_SMALL];
	char byte;

	/* Of shared memory a child has the page tables to make anew. */
	for (size_t i = 0; i < pages && i < area_backed(area); i++)
		touch(area, i, false);
	look_up(OPEN_SEEK_READ, area->va, pages, entries);
	if (send(parent, entries, pages * sizeof(*entries), 0) > 0)
		while (recv(parent, &byte, 1, 0) > 0)
			;
	_exit(0);
}

/* A write after a fork gives a page that is not pinned a new place. */
static void write_to_all(void)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		for (size_t i = 0; area->pages && i < area_backed(area); i++)
			if (area_owed(area, i))
				touch(area, i, true);
}

static void do_fork(const struct step *step)
{
	struct area *area = pick(step->slot);
	size_t pages = area && area->pages < MAX_SMALL ? area->pages : MAX_SMALL;
	uint64_t entries[MAX_SMALL];
	ssize_t size = (ssize_t)(pages * sizeof(*entries));
	int ends[2], status;
	pid_t pid;

	if (!area)
		return;
	say(": the child looks up");
	say_area(area);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail("socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (step->write)
		write_to_all();
	if (pid == 0) {
		close(ends[0]);
		child(ends[1], area, pages);
	}
	close(ends[1]);
	if (recv(ends[0], entries, sizeof(entries), 0) != size)
		fail("the child fails to look up its memory");
	write_to_all();
	check_answer(pid, area, 0, entries, pages);
	close(ends[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		fail("the child ends with status %x", status);
}

/* A child that runs in this process's memory, and closes what it likes. */
static void do_spawn(const struct step *step)
{
	char *args[] = {"nothing", NULL};
	int status;
	pid_t pid;

	if (step->whole) {
		say(" by posix_spawn");
		if (posix_spawn(&pid, "/dev/null", NULL, NULL, args, args) == 0)
			fail("/dev/null is a program");
		return;
	}
	say(" by vfork");
	pid = vfork();
	if (pid == 0) {
		closefrom(3);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail("vfork: %s, status %x", strerror(errno), status);
}

static void do_move(const struct step *step)
{
	(void)step;
	say(" all");
	check_truth(LOOK_AFTER_MOVING);
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
	{ "fork", 6, do_fork },
	{ "spawn", 6, do_spawn },
	{ "move", 35, do_move },
};
/* clang-format on */

/* ---- the end ------------------------------------------------------------- */

void release_all(void)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++) {
		if (!area->pages)
			continue;
		if (area->kind == MALLOC) {
			release_malloc(area);
		} else if (area->kind == HEAP) {
			shrink_heap(area, 0, 0, false);
		} else {
			if (munmap(area->va, area_size(area)) < 0)
				fail("munmap: %s", strerror(errno));
			area_unmapped(area, false);
		}
	}
	for (struct object *object = objects; object < objects + MAX_OBJECTS; object++)
		if (object->live && object->fd >= 0)
			object_close(object);
}
