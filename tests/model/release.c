/* Operations that release memory: unmapped, discarded, or cut out of its file. */
#define _GNU_SOURCE
#include "operations.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

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
/* libc unmaps the block internally, where the library does not see it. */
static void release_malloc(struct area *area)
{
	free((void *)((uintptr_t)area->va + MALLOC_HEADER));
	area_unmapped(area, true);
}

/* Only the end of the heap can be released. */
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

void unmap_area(struct area *area, size_t odd, bool quiet)
{
	if ((quiet ? behind.munmap : munmap)(area->va, area_size(area) - odd) < 0)
		fail("munmap: %s", strerror(errno));
	area_unmapped(area, quiet);
}

void do_unmap(const struct step *step)
{
	struct area *area = pick(step->slot);

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
		say_area(area);
		say(step->quiet ? " quietly" : "");
		unmap_area(area, odd(step, area->shift), step->quiet);
	}
}

static int by_other(int error)
{
	errno = error;
	return error ? -1 : 0;
}

/* From another process the kernel accepts only advice that keeps the contents. */
enum road { BY_MADVISE, BY_PIDFD, BY_OTHER, ROADS };

static int call_advice(enum road road, char *va, size_t size, unsigned int shift, int advice,
		       bool quiet)
{
	size_t page = (size_t)1 << shift;
	struct iovec parts[] = {{va, page}, {va + page, size - page}};
	int pidfd, ret;

	if (road == BY_OTHER)
		return by_other(observer_act(ADVISE, -1, (uintptr_t)va, size, advice));
	/* The kernel refuses a part of a huge page, after it has advised the parts before. */
	if (road == BY_MADVISE || size <= page || (uintptr_t)va % page)
		return (quiet ? behind.madvise : madvise)(va, size, advice);
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	ret = (int)(quiet ? behind.syscall : syscall)(SYS_process_madvise, pidfd, parts, 2, advice,
						      0);
	close(pidfd);
	return ret;
}

void do_advise(const struct step *step)
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
	enum road road = step->other % ROADS;
	size_t from, pages;

	/* There is nothing to remove beyond the end of a file. */
	if (!area || area->kind == MALLOC || (advice == MADV_REMOVE && !area_backed(area)))
		return;
	pick_range(step, advice == MADV_REMOVE ? area_backed(area) : area->pages, &from, &pages);
	say_area(area);
	say(": %s %zu+%zu%s", advices[step->how % ARRAY_SIZE(advices)].name, from, pages,
	    quiet ? " quietly" : "");
	say(road == BY_MADVISE ? ""
	    : road == BY_OTHER ? " by another process"
			       : " by process_madvise");
	if (call_advice(road, area->va + (from << area->shift),
			(pages << area->shift) - odd(step, area->shift), area->shift, advice,
			quiet) < 0)
		say(" refused");
	else if (advice == MADV_REMOVE)
		object_discarded(area->object, area->offset + from, pages, false, false);
	else if (advice != MADV_PAGEOUT && advice != MADV_COLLAPSE)
		area_discarded(area, from, pages, quiet || advice == MADV_FREE);
	if (advice == MADV_GUARD_INSTALL)
		madvise(area->va + (from << area->shift), pages << area->shift, MADV_GUARD_REMOVE);
}

static int punch(int fd, off_t from, off_t size, bool by_another)
{
	if (by_another)
		return by_other(observer_act(PUNCH, fd, (uint64_t)from, (uint64_t)size, 0));
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, size);
}

void do_punch(const struct step *step)
{
	struct object *object = pick_object(step->slot, true);
	unsigned int shift = object ? kind_shift(object->kind) : 0;
	size_t from, pages;

	if (!object || object->kind == CODE || !object->pages)
		return;
	pick_range(step, object->pages, &from, &pages);
	say(" object %zu: %zu+%zu", (size_t)(object - objects), from, pages);
	say(step->quiet ? " by another process" : "");
	/* Parts of the neighbouring pages are in the range, but the kernel keeps these pages. */
	if (punch(object->fd, (off_t)((from << shift) - (from ? odd(step, shift) : 0)),
		  (off_t)((pages << shift) + 2 * odd(step, shift)), step->quiet) < 0)
		fail("punching a hole: %s", strerror(errno));
	object_discarded(object, from, pages, false, step->quiet);
}

static int truncate_by_open(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
	return fd < 0 ? fd : close(fd);
}

static int cut(const struct step *step, int fd, off_t size)
{
	if (step->quiet)
		return by_other(observer_act(TRUNCATE, fd, (uint64_t)size, 0, 0));
	/* Opening the file again needs rights that may be dropped. */
	return size || step->slot % 2 || rights_are_dropped() ? ftruncate(fd, size)
							      : truncate_by_open(fd);
}

/* Truncation of a file also removes private copies of its pages. */
void do_truncate(const struct step *step)
{
	struct object *object = pick_object(step->slot, true);
	size_t pages, size;

	if (!object || object->kind == CODE)
		return;
	pages = step->pages % (object->max_pages + 1);
	say(" object %zu: %zu to %zu%s", (size_t)(object - objects), object->pages, pages,
	    step->quiet ? " by another process" : "");
	size = (pages << kind_shift(object->kind)) -
	       (pages ? odd(step, kind_shift(object->kind)) : 0);
	if (cut(step, object->fd, (off_t)size) < 0)
		fail("truncating: %s", strerror(errno));
	if (pages < object->pages)
		object_discarded(object, pages, object->pages - pages, true, step->quiet);
	object->pages = pages;
}

/* Detaches what is left of an attachment, of which parts may be unmapped already. */
void do_detach(const struct step *step)
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

void do_close(const struct step *step)
{
	struct object *object = pick_object(step->slot, true);

	if (!object)
		return;
	say(" object %zu", (size_t)(object - objects));
	object_close(object);
}

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
	rights_take_back();
}
