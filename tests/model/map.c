/* Operations that map memory: new, a second time, or over other memory. */
#define _GNU_SOURCE
#include "operations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define RW	   (PROT_READ | PROT_WRITE)
#define MAX_MAPPED 10

/* Reserves address space that begins `before` bytes below a multiple of align. */
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

char *reserve_for(const struct area *area)
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

/* Makes an object, which can be mapped more than once. NULL: there are too many. */
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
		if (object->fd < 0)
			fail("/proc/self/exe: %s", strerror(errno));
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

/* Calls mmap(): at any address or, over other memory, at a fixed one. NULL: refused. */
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

/* shmat() attaches whole segments only. The kernel chooses the address. */
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
			return NULL; /* only the last one could be released */
	return sbrk((intptr_t)(gap + size)) == (void *)-1 ? NULL : (char *)end + gap;
}

/* A block of this size has its own mapping, which begins with libc's header. */
static char *map_malloc(size_t size)
{
	char *va = malloc(size - 2 * MALLOC_HEADER);

	if ((uintptr_t)va % PAGE_SIZE != MALLOC_HEADER)
		fail("malloc(%zu) has no mapping of its own", size - 2 * MALLOC_HEADER);
	return va - MALLOC_HEADER;
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

/* Makes an area that is not mapped yet, with an object if its kind has one. */
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

/* Nothing was mapped: removes the area and its new object. */
static void unmake(struct area *area, const char *why)
{
	struct object *object = area->object;

	say(" %s", why);
	area_unmapped(area, false);
	if (object && object->fd >= 0)
		object_close(object);
}

static bool no_sysv;

void map_no_sysv(void)
{
	no_sysv = true;
}

void do_map(const struct step *step)
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

	if (kind == SYSV && no_sysv)
		kind = SHARED;
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

/* Maps the pages of an object once more. */
void do_alias(const struct step *step)
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
	area->barred = from && object->fd < 0 && object->shm < 0 && from->barred;
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

/* Maps new memory over an area. */
void do_over(const struct step *step)
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

/* Maps pages of an object over themselves or, if shared, over other pages of it. */
void do_over_itself(const struct step *step)
{
	struct area *old = pick_part(step), *area;
	size_t room;

	if (!old || !old->object || old->object->fd < 0 || old->object->kind == CODE)
		return;
	area = area_new(old->kind, old->va, old->pages);
	if (!area)
		return;
	area->object = old->object;
	area->offset = old->offset;
	room = old->object->max_pages;
	if (old->shared && step->kind % 2 && old->pages < room)
		area->offset = step->other % (room - old->pages + 1);
	area->shared = old->shared;
	area->writable = step->how % 6 > 0;
	if (!map_at(area, area->va, step->write, step->quiet)) {
		say(" refused");
		area->pages = 0;
		return;
	}
	say_area(old);
	say(" by page %zu%s", area->offset, step->quiet ? " quietly" : "");
	/* Until the library's next mark, a page that another one replaced may stay pinned. */
	if (area->offset != old->offset && step->quiet)
		area_doubted(old, old->pages);
	area_unmapped(old, step->quiet);
	check_truth(LOOK_AFTER_MOVING);
	check_objects();
}
