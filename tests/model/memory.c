/*
 * What there is, and what was told of it. Nothing here calls the kernel: a
 * step does, and then says here what the call has meant.
 *
 * An address is owed to the program for as long as it can rely on it. Of a
 * private page that is until this page is given back. Of a page of an object
 * it is until its last mapping is given back: when the mapping that was looked
 * up goes, its address is kept with the object.
 */
#include "model.h"

#include <string.h>
#include <unistd.h>

struct area areas[MAX_AREAS];
struct object objects[MAX_OBJECTS];

/* Pages that may be pinned although they were given back. */
static size_t stale, asked;

static const struct {
	const char *name;
	unsigned int shift;
} kinds[KINDS] = {
	[PRIVATE] = {"private", PAGE_SHIFT},
	[SHARED] = {"shared", PAGE_SHIFT},
	[MEMFD] = {"memfd", PAGE_SHIFT},
	[TMPFS] = {"tmpfs", PAGE_SHIFT},
	[PRIVATE_FILE] = {"private-file", PAGE_SHIFT},
	[CODE] = {"code", PAGE_SHIFT},
	[SYSV] = {"sysv", PAGE_SHIFT},
	[THP] = {"thp", PAGE_SHIFT},
	[MALLOC] = {"malloc", PAGE_SHIFT},
	[HEAP] = {"heap", PAGE_SHIFT},
	[HUGE_PRIVATE] = {"huge-private", HUGE_SHIFT},
	[HUGE_SHARED] = {"huge-shared", HUGE_SHIFT},
	[HUGE_MEMFD] = {"huge-memfd", HUGE_SHIFT},
	[RESERVED] = {"reserved", PAGE_SHIFT},
};

const char *kind_name(enum kind kind)
{
	return kinds[kind].name;
}

unsigned int kind_shift(enum kind kind)
{
	return kinds[kind].shift;
}

/* ---- areas and objects --------------------------------------------------- */

struct area *area_new(enum kind kind, char *va, size_t pages)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++) {
		if (area->pages)
			continue;
		*area = (struct area){
			.kind = kind,
			.va = va,
			.pages = pages,
			.shift = kinds[kind].shift,
		};
		return area;
	}
	return NULL;
}

struct object *object_new(enum kind kind, size_t pages)
{
	for (struct object *object = objects; object < objects + MAX_OBJECTS; object++) {
		if (object->live)
			continue;
		*object = (struct object){
			.live = true,
			.kind = kind,
			.fd = -1,
			.shm = -1,
			.pages = pages,
			.max_pages = pages,
		};
		return object;
	}
	return NULL;
}

static bool is_mapped(const struct object *object)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && area->object == object)
			return true;
	return false;
}

/* With its last mapping and its descriptor an object is gone. */
static void object_settle(struct object *object)
{
	if (object && object->fd < 0 && !is_mapped(object))
		object->live = false;
}

void object_close(struct object *object)
{
	close(object->fd);
	object->fd = -1;
	object_settle(object);
}

size_t area_size(const struct area *area)
{
	return area->pages << area->shift;
}

static void truncate_area(struct area *area, size_t pages)
{
	memset(area->told + pages, 0, (area->pages - pages) * sizeof(*area->told));
	area->pages = pages;
}

/* Makes an area of what comes after the first pages of one. */
static struct area *split(struct area *area, size_t pages)
{
	struct area *tail = area_new(area->kind, NULL, area->pages - pages);

	if (!tail)
		return NULL;
	tail->va = area->va + (pages << area->shift);
	tail->shift = area->shift;
	tail->writable = area->writable;
	tail->shared = area->shared;
	tail->object = area->object;
	tail->offset = area->offset + pages;
	memcpy(tail->told, area->told + pages, tail->pages * sizeof(*tail->told));
	truncate_area(area, pages);
	return tail;
}

struct area *area_carve(struct area *area, size_t from, size_t pages)
{
	if (from)
		area = split(area, from);
	if (area && pages < area->pages && !split(area, pages))
		return NULL;
	return area;
}

size_t area_backed(const struct area *area)
{
	size_t backed;

	if (area->kind == RESERVED)
		return 0;
	if (!area->object)
		return area->pages;
	if (area->object->pages <= area->offset)
		return 0;
	backed = area->object->pages - area->offset;
	return backed < area->pages ? backed : area->pages;
}

/* ---- what is owed -------------------------------------------------------- */

static uint64_t *kept(const struct area *area, size_t page)
{
	size_t at = area->offset + page;

	return area->shared && at < MAX_OBJECT_PAGES ? &area->object->kept[at] : NULL;
}

uint64_t area_owed(const struct area *area, size_t page)
{
	uint64_t *other = kept(area, page);

	return area->told[page] || !other ? area->told[page] : *other;
}

static size_t small_pages(const struct area *area)
{
	return 1UL << (area->shift - PAGE_SHIFT);
}

void memory_count(size_t *told, size_t *owed)
{
	*told = *owed = 0;
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		for (size_t i = 0; i < area->pages; i++) {
			*told += area->told[i] ? small_pages(area) : 0;
			*owed += area_owed(area, i) ? small_pages(area) : 0;
		}
}

size_t memory_stale(void)
{
	return stale;
}

size_t memory_asked(void)
{
	return asked;
}

void memory_ask(size_t pages)
{
	asked += pages;
}

void memory_forget_stale(void)
{
	stale = asked = 0;
}

void area_told(struct area *area, size_t page, uint64_t frame)
{
	area->told[page] = frame;
}

static bool is_mapped_elsewhere(const struct area *but, size_t page)
{
	size_t at = but->offset + page;

	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && area != but && area->shared && area->object == but->object &&
		    at >= area->offset && at - area->offset < area->pages)
			return true;
	return false;
}

void area_unmapped(struct area *area, bool quiet)
{
	struct object *object = area->object;

	for (size_t i = 0; i < area->pages; i++) {
		uint64_t owed = area_owed(area, i);
		uint64_t *other = kept(area, i);

		/*
		 * Pinned here, or for another mapping, or both. A shared page that is out
		 * of the page table can be mapped elsewhere.
		 */
		if (quiet || area->shared)
			stale += (!!area->told[i] + (other && *other)) * small_pages(area);
		/* Nobody could see which page this was: other mappings have to be looked up. */
		if (other)
			*other = !quiet && is_mapped_elsewhere(area, i) ? owed : 0;
	}
	*area = (struct area){0};
	object_settle(object);
}

void area_discarded(struct area *area, size_t from, size_t pages, bool quiet)
{
	for (size_t i = from; i < from + pages && !area->shared; i++) {
		if (area->told[i] && quiet)
			stale += small_pages(area);
		area->told[i] = 0;
	}
}

void object_discarded(struct object *object, size_t from, size_t pages, bool private_too)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++) {
		if (!area->pages || area->object != object || !(area->shared || private_too))
			continue;
		for (size_t i = 0; i < area->pages; i++)
			if (area->offset + i >= from && area->offset + i - from < pages)
				area->told[i] = 0;
	}
	for (size_t at = from; at < from + pages && at < MAX_OBJECT_PAGES; at++)
		object->kept[at] = 0;
}
