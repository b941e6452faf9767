/* SPDX-License-Identifier: MIT */
#include "door/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "base/lock.h"
#include "base/settings.h"
#include "base/sys.h"
#include "pin/deferred.h"
#include "pin/handover.h"
#include "pin/store.h"
#include "pin/withhold.h"
#include "vfio/inherited.h"

/* The thread that calls daemon() or forks, in the parent and in its child, and its progress. */
static struct {
	uintptr_t thread; /* 0: none */
	bool by_hand;	  /* not by daemon(): the parent may go on */
	bool prepared;
	int ends[2]; /* of a pipe; the parent closes it by its end, or when it has its copies */
} leaving;

/* The number of forks that gave the memory to the child, in this process and its ancestors. */
static unsigned int handed;

/* A stopped parent must not block the daemon for ever. */
#define WAIT_SECONDS 10

void daemon_begin(void)
{
	struct lock_saved saved = lock_enter();

	leaving.thread = (uintptr_t)pthread_self();
	lock_leave(saved);
}

static bool is_leaving(void)
{
	return leaving.thread && leaving.thread == (uintptr_t)pthread_self();
}

/* The parent gets copies. If the pool has no room for those of huge pages it keeps the memory. */
static bool leaves_by_hand(void)
{
	return !leaving.thread && handed < settings.keeper && !withhold_is_due();
}

void daemon_before_fork(void)
{
	if (leaving.prepared || (!store_count() && !deferred_tells_unpinned))
		return;
	if (leaves_by_hand()) {
		leaving.thread = (uintptr_t)pthread_self();
		leaving.by_hand = true;
		handed++;
	}
	if (!is_leaving())
		return;
	leaving.prepared = true;
	if (sys_call(SYS_pipe2, (long)leaving.ends, O_CLOEXEC, 0, 0, 0, 0))
		leaving.ends[0] = leaving.ends[1] = -1;
	handover_prepare();
}

/*
 * Waits for the parent's end. As long as both processes map a page, pinning it would copy
 * it. The kernel closes the parent's files after it has freed its memory: do_exit() in
 * kernel/exit.c.
 */
static void wait_for_end(void)
{
	struct pollfd end = {.fd = leaving.ends[0], .events = POLLIN};
	struct timespec most = {.tv_sec = WAIT_SECONDS};

	sys_close(leaving.ends[1]);
	sys_call(SYS_ppoll, (long)&end, 1, (long)&most, 0, 0, 0);
	sys_close(leaving.ends[0]);
}

static void left(void)
{
	leaving.thread = 0;
	leaving.by_hand = false;
	leaving.prepared = false;
}

void daemon_in_child(void)
{
	if (is_leaving() && leaving.prepared) {
		wait_for_end();
		deferred_inherit();
		handover_succeed();
	}
	left();
}

static void close_ends(void)
{
	sys_close(leaving.ends[0]);
	sys_close(leaving.ends[1]);
}

void daemon_in_parent(void)
{
	struct lock_saved saved;
	uint64_t first = 0;

	if (settings.keeper == KEEPER_PARENT)
		return;
	saved = lock_enter();
	if (is_leaving() && leaving.by_hand) {
		if (handover_part(&first))
			inherited_part(first);
		else
			handed--;
		close_ends();
		left();
	}
	lock_leave(saved);
}

void daemon_end(void)
{
	struct lock_saved saved = lock_enter();

	/* Still the parent: the fork failed. */
	if (is_leaving() && leaving.prepared) {
		close_ends();
		handover_settle();
	}
	left();
	lock_leave(saved);
}
