/* SPDX-License-Identifier: MIT */
#include "trap/sight.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/rights.h"
#include "base/sys.h"
#include "pin/deferred.h"
#include "pin/store.h"
#include "trap/calls.h"
#include "trap/filter.h"
#include "trap/image.h"

extern const char image_text_end[] __attribute__((visibility("hidden")));

#define SINGLES 6

/*
 * What is trapped in a process beyond calls_first. Changed under the lock. What is in it is
 * in force.
 *
 * calls_io is trapped for single descriptors, each by a filter of its own, so that calls on
 * other descriptors stay cheap. Each filter costs all of them, so there is a limit. From then
 * on it is trapped for all descriptors from a number on, as it is from the start for the highest
 * numbers, which the library's own descriptors have.
 */
struct sight {
	pid_t process;
	_Atomic(unsigned int) from; /* calls_io is trapped from this descriptor on */
	bool lowered;		    /* ... for want of single ones */
	_Atomic(unsigned int) singles;
	unsigned int single[SINGLES];
	bool closes[SINGLES]; /* close() is trapped, too */
	_Atomic(bool) memory;
};

/*
 * own is of this process, guest of a vfork() child. The child shares this memory, but a filter
 * that one of the two adds is not in force in the other.
 */
static struct sight own = {.from = INT_MAX}, guest;

static struct sight *sight_here(void)
{
	pid_t process;

	lock_assert_held();
	if (!process_is_guest())
		return &own;
	process = sys_getpid();
	if (guest.process != process)
		guest = (struct sight){.process = process, .from = INT_MAX};
	return &guest;
}

/* Needs the lock. */
static int add_filter(const struct filter_call *calls, size_t count)
{
	static struct sock_filter program[FILTER_SIZE];
	const struct filter_range range = {IMAGE_BASE, (uintptr_t)image_text_end};
	unsigned int len = filter_build(program, calls, count, range);
	int ret = len ? filter_install(program, len) : -E2BIG;

	if (ret)
		log_error("calls cannot be trapped (%e)", ret);
	else if (!process_is_guest())
		rights_own_filters++;
	return ret;
}

static int add_descriptors(enum filter_test test, unsigned int fd, bool closes)
{
	struct filter_call calls[FILTER_CALLS];
	size_t count = 0;

	for (size_t i = 0; i < calls_io_count; i++) {
		if (calls_io[i].nr == SYS_close && !closes)
			continue;
		calls[count] = calls_io[i];
		if (calls[count].test == FILTER_FD_FROM) {
			calls[count].test = test;
			calls[count].value = fd;
		}
		count++;
	}
	return add_filter(calls, count);
}

static bool is_seen(const struct sight *sight, unsigned int fd, bool closes)
{
	if (fd >= sight->from)
		return true;
	for (unsigned int i = 0; i < sight->singles; i++)
		if (sight->single[i] == fd && sight->closes[i] >= closes)
			return true;
	return false;
}

static int see_single(struct sight *sight, unsigned int fd, bool closes)
{
	int ret = add_descriptors(FILTER_FD_IS, fd, closes);

	if (ret)
		return ret;
	sight->single[sight->singles] = fd;
	sight->closes[sight->singles] = closes;
	sight->singles++;
	return 0;
}

/* The second time for all: a lower number is likely to be followed by one that is lower still. */
static int see_from(struct sight *sight, unsigned int fd)
{
	unsigned int from = sight->lowered ? 0 : fd;
	int ret = add_descriptors(FILTER_FD_FROM, from, true);

	if (!ret)
		sight->from = from;
	sight->lowered = true;
	return ret;
}

int sight_hidden(unsigned int fd)
{
	struct lock_saved saved = lock_enter();
	struct sight *sight = sight_here();
	int ret = fd < sight->from ? add_descriptors(FILTER_FD_FROM, fd, true) : 0;

	if (!ret && fd < sight->from)
		sight->from = fd;
	lock_leave(saved);
	return ret;
}

bool sight_has_descriptor(unsigned int fd)
{
	return is_seen(&own, fd, false) && !process_is_guest();
}

int sight_descriptor(unsigned int fd, bool closes)
{
	struct lock_saved saved;
	struct sight *sight;
	int ret = 0;

	if (is_seen(&own, fd, closes) && !process_is_guest())
		return 0;
	saved = lock_enter();
	sight = sight_here();
	if (!is_seen(sight, fd, closes))
		ret = sight->singles < SINGLES ? see_single(sight, fd, closes)
					       : see_from(sight, fd);
	lock_leave(saved);
	return ret;
}

static int see_all_memory(void)
{
	struct lock_saved saved = lock_enter();
	struct sight *sight = sight_here();
	int ret = 0;

	if (!sight->memory)
		ret = add_filter(calls_memory, calls_memory_count);
	if (!ret)
		sight->memory = true;
	lock_leave(saved);
	return ret;
}

int sight_memory(void)
{
	if (own.memory && !process_is_guest())
		return 0;
	return store_count() || deferred_tells_unpinned ? see_all_memory() : 0;
}

void sight_all(void)
{
	struct lock_saved saved;
	struct sight *sight;

	if (sys_call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) == 1)
		return;
	saved = lock_enter();
	sight = sight_here();
	if (sight->from > STDERR_FILENO + 1)
		see_from(sight, STDERR_FILENO + 1);
	lock_leave(saved);
	see_all_memory();
}

int sight_first(void)
{
	struct lock_saved saved = lock_enter();
	int ret = add_filter(calls_first, calls_first_count);

	lock_leave(saved);
	return ret;
}
