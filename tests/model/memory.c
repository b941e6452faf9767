/*
 * The memory of the program, and what was told of it. Nothing here maps or unmaps
 * memory: an operation does that, and then reports its effect here.
 *
 * An address is "owed" to the program as long as the program can rely on it. For a
 * private page this is until the page is released. For a page of an object it is until
 * its last mapping is released: when the mapping that was looked up goes, the address is
 * kept in the object. A private mapping of a file counts as a mapping of a file page as
 * long as it shows this page.
 */
#include "model.h"

#include <string.h>
#include <unistd.h>

struct area areas[MAX_AREAS];
struct object objects[MAX_OBJECTS];

/* In pages: see memory_count(). */
static size_t stale, released, asked;

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

static bool has_mapping(const struct object *object)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && area->object == object)
			return true;
	return false;
}

/* An object is gone when it has neither a mapping nor a descriptor. */
static void object_settle(struct object *object)
{
	if (object && object->fd < 0 && !has_mapping(object))
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
	memset(area->seen + pages, 0, (area->pages - pages) * sizeof(*area->seen));
	area->pages = pages;
}

/* Makes the part after the first pages an area of its own. */
static struct area *split(struct area *area, size_t pages)
{
	struct area *tail = area_new(area->kind, NULL, area->pages - pages);

	if (!tail)
		return NULL;
	tail->va = area->va + (pages << area->shift);
	tail->shift = area->shift;
	tail->writable = area->writable;
	tail->barred = area->barred;
	tail->shared = area->shared;
	tail->object = area->object;
	tail->offset = area->offset + pages;
	memcpy(tail->told, area->told + pages, tail->pages * sizeof(*tail->told));
	memcpy(tail->seen, area->seen + pages, tail->pages * sizeof(*tail->seen));
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

static bool shows(const struct area *area, size_t page, uint64_t frame)
{
	return area->seen[page] & PRESENT && (area->seen[page] & PFN) == frame;
}

uint64_t area_owed(const struct area *area, size_t page)
{
	size_t at = area->offset + page;

	if (area->told[page] || !area->object || at >= MAX_OBJECT_PAGES)
		return area->told[page];
	if (!area->shared && !shows(area, page, area->object->kept[at]))
		return 0;
	return area->object->kept[at];
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

size_t memory_released(void)
{
	return released;
}

void memory_doubt(size_t pages)
{
	stale += pages;
}

void memory_forget_stale(void)
{
	stale = released = asked = 0;
}

void area_told(struct area *area, size_t page, uint64_t frame)
{
	area->told[page] = frame;
	if (area->shared && area->offset + page < MAX_OBJECT_PAGES)
		area->object->faint[area->offset + page] = false;
}

/*
 * True if an area other than `but` maps the page of the object. A faint page counts only
 * if the area's page table shows it; otherwise a shared mapping of it is enough.
 */
static bool is_mapped(const struct object *object, size_t at, const struct area *but,
		      uint64_t frame, bool faint)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++) {
		if (!area->pages || area == but || area->object != object || at < area->offset ||
		    at - area->offset >= area->pages)
			continue;
		if ((area->shared && !faint) || shows(area, at - area->offset, frame))
			return true;
	}
	return false;
}

/* A mapping of an owed page goes: another mapping may keep the address. */
static void leave_to_others(const struct area *area, size_t page, uint64_t owed, bool quiet)
{
	struct object *object = area->object;
	size_t at = area->offset + page;
	bool faint = quiet || (object->faint[at] && !area->told[page]);
	bool stays = is_mapped(object, at, area, owed, faint);

	/* The library cannot see whether a page outside of the page table is still mapped. */
	if (faint || !shows(area, page, owed))
		object->doubtful[at] = true;
	object->kept[at] = stays ? owed : 0;
	object->faint[at] = stays && faint;
	object->freed[at] = !stays && !object->doubtful[at];
}

/* True if this is the object's page. A told page of a private area is a copy. */
static bool is_of_object(const struct area *area, size_t page)
{
	return area->object && area->offset + page < MAX_OBJECT_PAGES &&
	       (area->shared || !area->told[page]);
}

void area_unmapped(struct area *area, bool quiet)
{
	struct object *object = area->object;

	for (size_t i = 0; i < area->pages; i++) {
		uint64_t owed = area_owed(area, i);
		uint64_t kept = is_of_object(area, i) ? object->kept[area->offset + i] : 0;

		/*
		 * It may be pinned for this mapping, for another one, or for both. A shared
		 * page that is not in the page table may be mapped elsewhere.
		 */
		if (quiet || is_of_object(area, i))
			stale += (!!area->told[i] + !!kept) * small_pages(area);
		else if (area->told[i])
			released += small_pages(area);
		if (owed && is_of_object(area, i))
			leave_to_others(area, i, owed, quiet);
	}
	*area = (struct area){0};
	object_settle(object);
}

void area_doubted(struct area *area, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		if (is_of_object(area, i)) {
			area->object->doubtful[area->offset + i] = true;
			area->object->freed[area->offset + i] = false;
		}
}

void area_discarded(struct area *area, size_t from, size_t pages, bool quiet)
{
	for (size_t i = from; i < from + pages && !area->shared; i++) {
		if (area->told[i])
			*(quiet ? &stale : &released) += small_pages(area);
		area->told[i] = 0;
	}
}

void object_discarded(struct object *object, size_t from, size_t pages, bool private_too,
		      bool quiet)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++) {
		if (!area->pages || area->object != object || !(area->shared || private_too))
			continue;
		for (size_t i = 0; i < area->pages; i++) {
			if (area->offset + i < from || area->offset + i - from >= pages)
				continue;
			if (area->told[i])
				*(quiet ? &stale : &released) += small_pages(area);
			area->told[i] = 0;
		}
	}
	for (size_t at = from; at < from + pages && at < MAX_OBJECT_PAGES; at++) {
		if (object->kept[at])
			stale += 1UL << (kinds[object->kind].shift - PAGE_SHIFT);
		object->kept[at] = 0;
		object->faint[at] = object->doubtful[at] = object->freed[at] = false;
	}
}

void objects_looked_at(void)
{
	for (struct object *object = objects; object < objects + MAX_OBJECTS; object++)
		for (size_t at = 0; object->live && at < MAX_OBJECT_PAGES; at++) {
			uint64_t kept = object->kept[at];

			if (!kept || is_mapped(object, at, NULL, kept, object->faint[at]))
				continue;
			stale += 1UL << (kinds[object->kind].shift - PAGE_SHIFT);
			object->kept[at] = 0;
			object->faint[at] = false;
			object->doubtful[at] = true;
		}
}
