/* SPDX-License-Identifier: MIT */
#include "door/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/event.h"
#include "base/fdtab.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/sys.h"
#include "base/user.h"
#include "door/fd.h"
#include "iommufd/idle.h"
#include "pin/answer.h"
#include "pin/maps.h"
#include "pin/pagemap.h"
#include "pin/pin.h"

bool lookup_expect(const char *path, int flags, int fd)
{
	return pagemap_served && !event_wanted() && !(flags & O_PATH) &&
	       !strcmp(path, "/proc/self/pagemap") && fdtab_expect(fd, FD_PAGEMAP);
}

static void report(uint64_t va, const uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (entries[i] & PAGEMAP_PRESENT)
			log_debug("lookup va=0x%lx pa=0x%lx", va + (i << PIN_PAGE_SHIFT),
				  (entries[i] & PAGEMAP_PFN) << PIN_PAGE_SHIFT);
}

static bool is_moving(const uint64_t *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pagemap_is_moving(entries[i]))
			return true;
	return false;
}

/* Waits for pages that the kernel is migrating, if this pagemap is answered here. */
static void wait_for(int fd, uint64_t va, uint64_t *entries, size_t n)
{
	struct lock_saved saved = lock_enter();
	bool served = pagemap_is_served(fdtab_get(fd));

	lock_leave(saved);
	if (served)
		maps_wait(fd, va, entries, n);
}

/* frames has the frames of the first pages. Most of the other entries agree with the store now. */
static size_t fill(int fd, uint64_t va, uint64_t *entries, uint64_t *frames, size_t n, off_t pos)
{
	size_t part = n < ANSWER_FRAMES ? n : ANSWER_FRAMES, changed = 0, done = 0;

	for (;;) {
		struct lock_saved saved;

		changed += answer_fill(fd, entries + done, frames, part,
				       pos + (off_t)(done * sizeof(*entries)));
		done += part;
		done += store_current(va + (done << PIN_PAGE_SHIFT), entries + done, n - done);
		if (done == n)
			return changed;
		saved = lock_enter();
		part = answer_frames(va + (done << PIN_PAGE_SHIFT), frames, n - done);
		lock_leave(saved);
	}
}

/* Handles the entries that were read at pos, of which some need it. */
static int look_up_once(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos,
			size_t *changed)
{
	uint64_t frames[ANSWER_FRAMES];
	struct lock_saved saved;
	bool served;
	int ret;

	if (is_moving(entries, n))
		wait_for(fd, va, entries, n);
	saved = lock_enter();
	ret = answer(fd, va, entries, n, frames, &served);
	lock_leave(saved);
	if (served)
		*changed = fill(fd, va, entries, frames, n, pos);
	return ret;
}

/* idle_survey() may wait for other processes, so it is called without the lock. */
static __attribute__((noinline)) int look_up(int fd, uint64_t va, uint64_t *entries, size_t n,
					     off_t pos, size_t *changed)
{
	int ret = look_up_once(fd, va, entries, n, pos, changed);

	while (ret == -EAGAIN) {
		idle_survey();
		ret = look_up_once(fd, va, entries, n, pos, changed);
	}
	return ret;
}

/* The address of the page whose entry is at offset pos of pagemap. */
static uint64_t shown_at(off_t pos)
{
	uint64_t page = (uint64_t)pos / sizeof(uint64_t) << PIN_PAGE_SHIFT;

	return user_address((const void *)page);
}

bool lookup_is_pinned(int fd, const void *buf, ssize_t len, off_t pos)
{
	size_t n = (size_t)len / sizeof(uint64_t);
	uint64_t va = shown_at(pos);

	if (event_wanted() || n > TRACE_SCAN_PAGES || store_ask(va, buf, n) < n)
		return false;
	event_lookup(0, fd, va, buf, n, 0, 0);
	return true;
}

ssize_t lookup_read(int fd, void *buf, ssize_t len, off_t pos, uint64_t start)
{
	size_t n = (size_t)len / sizeof(uint64_t), changed = 0;
	off_t at = pos < 0 ? sys_lseek(fd, 0, SEEK_CUR) - len : pos;
	uint64_t va = shown_at(at);
	int ret = 0;

	if (n <= TRACE_SCAN_PAGES && store_ask(va, buf, n) < n && settings.mode != MODE_GROUP)
		ret = look_up(fd, va, buf, n, at, &changed);
	event_lookup(start, fd, va, buf, n, changed, ret);
	if (ret) {
		if (pos < 0)
			sys_lseek(fd, at, SEEK_SET);
		return ret;
	}
	if (log_limit >= LOG_DEBUG)
		report(va, buf, n);
	return len;
}

int lookup_patch(int fd, void *buf, size_t len, off_t pos)
{
	uint64_t entries[32];
	off_t end = pos + (off_t)len;
	off_t start = pos & ~(off_t)(sizeof(*entries) - 1);
	ssize_t got;

	if (len > TRACE_SCAN_PAGES * sizeof(*entries) || fd_proved_kind(fd) != FD_PAGEMAP)
		return 0;
	for (; start < end; start += got) {
		off_t from = start > pos ? start : pos;
		uint64_t begin = event_start();
		off_t to;

		got = sys_pread(fd, entries, sizeof(entries), start);
		if (got <= 0)
			return (int)got;
		/* Do not look up entries after the last one that was asked for. */
		if (start + got > end)
			got = (end - start + 7) & ~(off_t)7;
		got = lookup_read(fd, entries, got, start, begin);
		if (got < 0)
			return (int)got;
		to = start + got < end ? start + got : end;
		memcpy((char *)buf + (from - pos), (char *)entries + (from - start),
		       (size_t)(to - from));
	}
	return 0;
}
