/* SPDX-License-Identifier: MIT */
#include "pin/pagemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/event.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/slab.h"
#include "base/sys.h"
#include "iommufd/ioas.h"
#include "pin/maps.h"
#include "pin/pin.h"
#include "vfio/group.h"
#include "iommufd/path.h"

#define HIDDEN_PFN(entry) (!((entry)&PAGEMAP_PFN))

struct pagemap {
	struct object object;
	unsigned int generation; /* of the process whose pages it shows */
	bool native;		 /* the group path is taken: lookups are only told */
};

static bool told_natively; /* on the group path, for a trace that follows them */

_Atomic(bool) pagemap_tells_unpinned;

static struct slab pagemaps = {.size = sizeof(struct pagemap)};

static void release(struct object *object)
{
	slab_free(&pagemaps, object);
}

/*
 * /proc/PID/pagemap or /proc/PID/task/TID/pagemap, PID being this process: 1.
 * Another file: 0. A negative errno when it cannot be told.
 */
static int is_named_own(int fd)
{
	char self[64], link[128];
	char *pid;
	ssize_t len;

	format(self, sizeof(self), "/proc/self/fd/%d", fd);
	len = sys_readlinkat(AT_FDCWD, self, link, sizeof(link) - 1);
	if (len <= 0)
		return len == -ENOENT ? 0 : (int)len;
	link[len] = '\0';
	pid = strstr(link, "/task/");
	if (!pid)
		pid = strstr(link, "/pagemap");
	if (!pid)
		return 0;
	*pid = '\0';
	pid = strrchr(link, '/');
	return pid && strtol(pid + 1, NULL, 10) == sys_getpid();
}

/* The same, with what was found the last time: while a process lives its pagemap is one file. */
static int is_own(int fd, struct stat *st)
{
	static struct {
		unsigned int generation;
		dev_t dev;
		ino_t ino;
	} own;
	int ret = sys_fstat(fd, st);

	if (ret)
		return ret == -EBADF ? 0 : ret;
	if (own.generation && own.generation == process_generation() && own.dev == st->st_dev &&
	    own.ino == st->st_ino)
		return 1;
	ret = is_named_own(fd);
	if (ret > 0) {
		own.generation = process_generation();
		own.dev = st->st_dev;
		own.ino = st->st_ino;
	}
	return ret;
}

static int enter(int fd, const struct stat *st, bool native)
{
	struct pagemap *pagemap = slab_alloc(&pagemaps);
	int ret;

	if (!pagemap)
		return -ENOMEM;
	pagemap->object.kind = FD_PAGEMAP;
	pagemap->object.release = release;
	pagemap->object.dev = st->st_dev;
	pagemap->object.ino = st->st_ino;
	pagemap->generation = process_generation();
	pagemap->native = native;
	if (native && event_wanted())
		pagemap_tells_unpinned = told_natively = true;
	object_hold(&pagemap->object);
	ret = fdtab_install(fd, &pagemap->object);
	object_release(&pagemap->object);
	return ret;
}

/* As fdtab_prove. */
static int prove(int fd)
{
	struct stat st;
	int ret = is_own(fd, &st);

	if (ret <= 0)
		return ret;
	ret = enter(fd, &st, false);
	return ret ? ret : 1;
}

_Atomic(bool) pagemap_served;

int pagemap_opened(int fd)
{
	struct stat st;
	int ret = is_own(fd, &st);

	if (ret <= 0)
		return ret;
	ret = path_choose();
	if (ret > 0 && settings.mode != MODE_GROUP && !event_wanted())
		return 0;
	if (!ret) {
		fdtab_prove = prove;
		pagemap_served = true;
	}
	return ret < 0 ? ret : enter(fd, &st, ret);
}

/* ---- lookups while no page table exists ---- */

/*
 * All devices are in use by others, and none of them is ours yet. What was
 * looked up is kept, and pinned and compared when there is a page table.
 */
struct deferred {
	struct deferred *next;
	uint64_t va;
	uint64_t pfn;
};

static struct slab deferreds = {.size = sizeof(struct deferred)};
static struct deferred *all_deferred;
static unsigned int deferred_generation; /* of the process that looked them up */
static bool moved;			 /* the program holds an address that is wrong */

/* The frame at va as the kernel has it, 0: none. */
static uint64_t frame_at(uint64_t va)
{
	uint64_t entry;

	return maps_entries(maps_pagemap(), va, &entry, 1) && entry & PAGEMAP_PRESENT
		       ? entry & PAGEMAP_PFN
		       : 0;
}

/* Forgets those in [va, end), or only those whose page is no longer there. */
static void forget(uint64_t va, uint64_t end, bool all)
{
	struct deferred **at = &all_deferred;

	while (*at) {
		struct deferred *deferred = *at;

		if (deferred->va >= va && deferred->va < end &&
		    (all || frame_at(deferred->va) != deferred->pfn)) {
			*at = deferred->next;
			slab_free(&deferreds, deferred);
		} else {
			at = &deferred->next;
		}
	}
	pagemap_tells_unpinned = all_deferred || told_natively;
}

void pagemap_forget(uint64_t va, uint64_t len)
{
	forget(va, va + len, false);
}

void pagemap_moved(uint64_t from, uint64_t to, uint64_t len)
{
	for (struct deferred *at = all_deferred; at; at = at->next)
		if (at->va >= from && at->va < from + len &&
		    frame_at(at->va - from + to) == at->pfn)
			at->va += to - from;
	pagemap_forget(from, len);
}

/* A child's memory is not what its parent looked up. */
static void own_deferred(void)
{
	if (deferred_generation != process_generation()) {
		forget(0, UINT64_MAX, true);
		moved = false;
	}
	deferred_generation = process_generation();
}

static int defer(uint64_t va, uint64_t entry)
{
	struct deferred *deferred;

	if (HIDDEN_PFN(entry))
		return -EBUSY;
	own_deferred();
	forget(va, va + 1, true);
	deferred = slab_alloc(&deferreds);
	if (!deferred)
		return -ENOMEM;
	deferred->va = va;
	deferred->pfn = entry & PAGEMAP_PFN;
	deferred->next = all_deferred;
	all_deferred = deferred;
	pagemap_tells_unpinned = true;
	return 0;
}

static int defer_present(uint64_t va, const uint64_t *entries, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++, va += PIN_PAGE_SIZE)
		if (entries[i] & PAGEMAP_PRESENT)
			ret = defer(va, entries[i]);
	return ret;
}

/* ---- pinning ---- */

static void complain(uint64_t va, int error)
{
	static int last;

	event_failure("cannot pin a page", va, error);
	if (error == last)
		return;
	last = error;
	switch (error) {
	case -ENOMEM:
		log_error("cannot pin a page (ENOMEM): RLIMIT_MEMLOCK is used up, raise it "
			  "(ulimit -l, LimitMEMLOCK=) or give CAP_IPC_LOCK");
		break;
	case -EPERM:
	case -EACCES:
		log_error("cannot pin a page (%e): looking up physical addresses needs "
			  "CAP_SYS_RAWIO and access to /dev/iommu",
			  error);
		break;
	case -EBUSY:
		log_error("cannot pin a page (EBUSY): every no-IOMMU device is in use by another "
			  "process");
		break;
	case -EFAULT:
		log_error("cannot pin the page at 0x%lx (EFAULT): no device can be given memory "
			  "of this kind, or at addresses from 2^48 on; use other memory",
			  va);
		break;
	default:
		log_error("cannot pin the page at 0x%lx (%e)", va, error);
	}
}

/*
 * What comes of pages that could not be pinned, the first of them at va. 0:
 * the program gets the kernel's own entries.
 */
static int give_up(uint64_t va, int error)
{
	uint64_t entry = PAGEMAP_PRESENT | PAGEMAP_PFN;

	maps_entries(maps_pagemap(), va, &entry, 1);
	/*
	 * No memory: gone by now, or not for the program itself to read, as with
	 * PROT_NONE, which keeps its pages. What a device has there is not
	 * present in the first place (walk_page_test() in mm/pagewalk.c).
	 */
	if (error == -EFAULT && (!(entry & PAGEMAP_PRESENT) || !maps_can_read(va)))
		return 0;
	complain(va, error);
	/* Without the right to see frames the kernel's own answer has none in it. */
	if ((error == -EPERM || error == -EACCES) && HIDDEN_PFN(entry))
		return 0;
	return settings.unpinned == UNPINNED_FALLBACK ? 0 : error;
}

/* The size of the page at va as a shift. entry is what the kernel says of it. */
static unsigned int page_shift(uint64_t va, uint64_t entry)
{
	uint64_t in_huge = (UINT64_C(1) << (PIN_PMD_SHIFT - PIN_PAGE_SHIFT)) - 1;
	uint64_t size;

	/* A huge page is aligned in both address spaces: mostly nothing needs to be asked. */
	if (!HIDDEN_PFN(entry) && ((va >> PIN_PAGE_SHIFT) ^ entry) & in_huge)
		return PIN_PAGE_SHIFT;
	size = maps_page_size(va);
	if (size == UINT64_C(1) << PIN_PUD_SHIFT)
		return PIN_PUD_SHIFT;
	return size == UINT64_C(1) << PIN_PMD_SHIFT ? PIN_PMD_SHIFT : PIN_PAGE_SHIFT;
}

/* Once more, if the first attempt shows that the iommufd was closed behind the library's back. */
static int pin_now(uint64_t va, uint64_t len, unsigned int shift, bool shared)
{
	int ret = pin_add(va, len, shift, shared);

	if (!ret || ioas_check())
		return ret;
	ret = group_page_table();
	return ret ? ret : pin_add(va, len, shift, shared);
}

static int pin_huge(uint64_t va, unsigned int shift, bool shared)
{
	uint64_t size = UINT64_C(1) << shift;

	int ret;

	va &= ~(size - 1);
	/* What was pinned of smaller pages there is no longer mapped. */
	pin_release(va, size, NULL);
	ret = pin_now(va, size, shift, shared);
	return ret ? give_up(va, ret) : 0;
}

/* -EFAULT for a range can be one bad page in it. */
static int pin_small(uint64_t va, size_t n, bool shared)
{
	int ret = pin_now(va, n << PIN_PAGE_SHIFT, PIN_PAGE_SHIFT, shared);

	if (!ret)
		return 0;
	if (ret != -EFAULT || n == 1)
		return give_up(va, ret);
	ret = 0;
	for (size_t i = 0; i < n && !ret; i++, va += PIN_PAGE_SIZE)
		if (!pin_pfn(va))
			ret = pin_small(va, 1, shared);
	return ret;
}

/*
 * True when va is pinned and still the page that it was. A stale pin is
 * dropped. The entry can be stale, too: it was read before the lock was had.
 */
static bool is_pinned(uint64_t va, uint64_t entry)
{
	uint64_t pfn = pin_pfn(va);
	uint64_t now = entry & PAGEMAP_PFN;

	if (!pfn)
		return false;
	if (HIDDEN_PFN(entry) && pin_probe(va, &now))
		return false;
	if (now == pfn)
		return true;
	pin_replace(va & ~(PIN_PAGE_SIZE - 1), PIN_PAGE_SIZE, maps_stand);
	return pin_pfn(va);
}

/*
 * Pins the n present pages from va on that are not. Stops at an error: what
 * is pinned by then stays.
 */
static int pin_pages(uint64_t va, const uint64_t *entries, size_t n)
{
	size_t i = 0;

	while (i < n) {
		uint64_t at = va + (i << PIN_PAGE_SHIFT);
		uint64_t shared = 0;
		unsigned int shift;
		size_t run;
		int ret;

		if (!(entries[i] & PAGEMAP_PRESENT) || is_pinned(at, entries[i])) {
			i++;
			continue;
		}
		/* Of a private mapping of a file the pin is on a copy that nobody else has. */
		if (entries[i] & PAGEMAP_FILE)
			shared = maps_shared_length(at);
		shift = page_shift(at, entries[i]);
		if (shift != PIN_PAGE_SHIFT) {
			ret = pin_huge(at, shift, shared);
			run = ((UINT64_C(1) << shift) - (at & ((UINT64_C(1) << shift) - 1))) >>
			      PIN_PAGE_SHIFT;
		} else {
			for (run = 1; i + run < n && entries[i + run] & PAGEMAP_PRESENT; run++)
				if ((entries[i + run] & PAGEMAP_FILE) !=
					    (entries[i] & PAGEMAP_FILE) ||
				    (entries[i] & PAGEMAP_FILE &&
				     run >= shared >> PIN_PAGE_SHIFT) ||
				    is_pinned(at + (run << PIN_PAGE_SHIFT), entries[i + run]) ||
				    page_shift(at + (run << PIN_PAGE_SHIFT), entries[i + run]) !=
					    PIN_PAGE_SHIFT)
					break;
			ret = pin_small(at, run, shared);
		}
		if (ret)
			return ret;
		i += run;
	}
	return 0;
}

/*
 * Pins of memory that was given back where no preload sees it (free() of a
 * large block, a thread's stack) are found by and by: two pages are looked at
 * for each that is pinned, so that there are never more of these than of
 * others, and SWEEP_LEAST. Neighbours cost one read together.
 */
#define SWEEP_LEAST 128
#define SWEEP_MOST  2048 /* for one lookup */

/* What the dead left is looked for at one lookup of so many. */
#define SWEEP_DEAD 64

/* A shared page that is out of the page table only is not given back. */
static bool is_gone(uint64_t va, uint64_t entry)
{
	struct pin pin;

	if (entry & PAGEMAP_PRESENT)
		return !HIDDEN_PFN(entry);
	return pin_next(va, &pin) && (!pin.shared || !maps_shared_length(va));
}

static bool sweep_row(int fd, const struct pin_row *row)
{
	static uint64_t entries[512];
	uint64_t va = row->va;

	if (!maps_entries(fd, va, entries, row->pages))
		return false;
	for (size_t i = 0; i < row->pages; i++, va += PIN_PAGE_SIZE) {
		size_t same = pin_differs(va, &entries[i], row->pages - i);

		i += same;
		va += same << PIN_PAGE_SHIFT;
		if (i < row->pages && is_gone(va, entries[i]))
			pin_release(va, UINT64_C(1) << row->shift, maps_stand);
	}
	return true;
}

/* From where the last one ended, once around at most. */
static void sweep_pins(size_t due)
{
	static uint64_t cursor;
	uint64_t start = cursor;
	bool around = false;
	int fd = maps_pagemap();
	struct pin_row row;

	while (due) {
		if (pin_next_row(cursor, due, &row)) {
			if ((around && row.va >= start) || !sweep_row(fd, &row))
				return;
			cursor = row.va + (row.pages << row.shift);
			due -= row.pinned;
		} else if (!around) {
			cursor = 0;
			around = true;
		} else {
			return;
		}
	}
}

static void sweep(size_t pages)
{
	static unsigned int lookups;
	static size_t due;

	if (++lookups % SWEEP_DEAD == 0)
		pin_release_gone();
	due += 2 * pages;
	if (due < SWEEP_LEAST)
		return;
	sweep_pins(due < SWEEP_MOST ? due : SWEEP_MOST);
	due = 0;
}

/*
 * Puts the frames of the pinned pages into the entries that were read at pos.
 * Returns how many it had to change.
 */
static size_t fill(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos)
{
	size_t changed = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t pfn = pin_pfn(va + (i << PIN_PAGE_SHIFT));
		uint64_t again;

		if (!(entries[i] & PAGEMAP_PRESENT) || !pfn || (entries[i] & PAGEMAP_PFN) == pfn)
			continue;
		/* Pinning copied the page: its flags are those of the copy. */
		if (sys_pread(fd, &again, sizeof(again), pos + (off_t)(i * sizeof(again))) ==
			    (ssize_t)sizeof(again) &&
		    again & PAGEMAP_PRESENT)
			entries[i] = again;
		entries[i] = (entries[i] & ~PAGEMAP_PFN) | pfn;
		changed++;
	}
	return changed;
}

/* Whatever keeps the page from being pinned, its address was told and has to hold. */
static bool holds(const struct deferred *deferred)
{
	uint64_t entry;

	if (!maps_entries(maps_pagemap(), deferred->va, &entry, 1) || !(entry & PAGEMAP_PRESENT))
		return false;
	return !pin_pages(deferred->va, &entry, 1) && pin_pfn(deferred->va) == deferred->pfn;
}

int pagemap_settle(void)
{
	own_deferred();
	while (all_deferred) {
		uint64_t va = all_deferred->va;

		if (!holds(all_deferred)) {
			moved = true;
			event_failure("the page moved before it could be pinned", va, -EFAULT);
			log_error("the page at 0x%lx moved before it could be pinned: its physical "
				  "address 0x%lx, told while every device was in use, is wrong; "
				  "start the program again",
				  va, all_deferred->pfn << PIN_PAGE_SHIFT);
		}
		forget(va, va + 1, true);
	}
	return moved ? -EFAULT : 0;
}

/* Pins what is not yet pinned, and puts the frames into the entries. */
int pagemap_pin(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed)
{
	int ret = group_page_table();

	if (ret == -EBUSY) {
		ret = defer_present(va, entries, n);
		return ret ? give_up(va, ret) : 0;
	}
	if (ret)
		return give_up(va, ret);
	if (all_deferred)
		pagemap_settle();
	sweep(n);
	ret = pin_pages(va, entries, n);
	*changed = fill(fd, va, entries, n, pos);
	return ret;
}

/* The same, but for those in front that are already what they have to be. */
int pagemap_answer(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed)
{
	size_t start;

	maps_wait(fd, va, entries, n);
	start = pin_current(va, entries, n);
	if (start == n)
		return 0;
	return pagemap_pin(fd, va + (start << PIN_PAGE_SHIFT), entries + start, n - start,
			   pos + (off_t)(start * sizeof(*entries)), changed);
}

/* Of a descriptor that came by fork() the pages are the parent's. */
static bool shows_us(struct pagemap *pagemap)
{
	/* There was no memory to tell when it was opened. */
	if (!pagemap->generation)
		pagemap->generation = process_generation();
	return pagemap->generation == process_generation();
}

bool pagemap_is_served(struct object *object)
{
	struct pagemap *pagemap = (struct pagemap *)object;

	return object && object->kind == FD_PAGEMAP && shows_us(pagemap) && !pagemap->native;
}

bool pagemap_is_first(uint64_t va, uint64_t entry)
{
	return entry & PAGEMAP_PRESENT && !HIDDEN_PFN(entry) && !pin_pfn(va) && ioas_has_table();
}
