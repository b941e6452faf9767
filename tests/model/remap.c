/* Operations that move memory: mremap() in all its forms. */
#define _GNU_SOURCE
#include "operations.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

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

/* Linux before 5.16 does not move huge pages. */
static bool can_move(const struct area *area)
{
	static enum { UNKNOWN, NO, YES } huge;
	void *from, *to;

	if (area->shift != HUGE_SHIFT)
		return true;
	if (huge)
		return huge == YES;
	from = mmap(NULL, HUGE_SIZE, PROT_READ,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
	if (from == MAP_FAILED)
		fail("a mapping of huge pages: %s", strerror(errno));
	to = mremap(from, HUGE_SIZE, HUGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, reserve_for(area));
	huge = to == MAP_FAILED ? NO : YES;
	munmap(huge == YES ? to : from, HUGE_SIZE);
	return huge == YES;
}

static void move_away(struct area *area)
{
	char *to;

	if (!can_move(area))
		return;
	to = reserve_for(area);
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

	if (!other || other == area || other->shift != area->shift || !can_move(area))
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

/* Moves the pages to a new mapping. The old mapping stays, empty. */
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

void do_remap(const struct step *step)
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

/* libc moves or shortens the mapping internally. */
void do_realloc(const struct step *step)
{
	struct area *area = NULL, *rest;
	size_t pages = MALLOC_PAGES + step->pages % (3 * MAX_SMALL);
	char *va;

	for (size_t i = 0; i < MAX_AREAS && (!area || area->kind != MALLOC); i++)
		area = pick(step->slot + (uint32_t)i);
	if (!area || area->kind != MALLOC)
		return;
	say_area(area);
	say(" to %zu", pages);
	rest = pages < area->pages ? area_carve(area, pages, area->pages - pages) : NULL;
	if (pages < area->pages && !rest)
		return;
	va = realloc((void *)((uintptr_t)area->va + MALLOC_HEADER),
		     pages * PAGE_SIZE - 2 * MALLOC_HEADER);
	if ((uintptr_t)va % PAGE_SIZE != MALLOC_HEADER)
		fail("realloc(%zu) has no mapping of its own", pages * PAGE_SIZE);
	if (rest)
		area_unmapped(rest, true);
	area->va = va - MALLOC_HEADER;
	area->pages = pages;
	say(" %p", (void *)area->va);
}
