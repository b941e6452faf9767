/* SPDX-License-Identifier: MIT */
#include "door/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "base/lock.h"
#include "base/sys.h"
#include "pin/deferred.h"
#include "pin/handover.h"
#include "pin/store.h"

/* The thread that calls daemon(), in the parent and in its child, and its progress. */
static struct {
	uintptr_t thread; /* 0: none */
	bool prepared;
	int ends[2]; /* of a pipe that the parent's end closes */
} leaving;

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

void daemon_before_fork(void)
{
	if (!is_leaving() || leaving.prepared || (!store_count() && !deferred_tells_unpinned))
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

void daemon_in_child(void)
{
	if (is_leaving() && leaving.prepared) {
		wait_for_end();
		deferred_inherit();
		handover_succeed();
	}
	leaving.thread = 0;
	leaving.prepared = false;
}

void daemon_end(void)
{
	struct lock_saved saved = lock_enter();

	/* Still the parent: the fork failed. */
	if (is_leaving() && leaving.prepared) {
		sys_close(leaving.ends[0]);
		sys_close(leaving.ends[1]);
		handover_settle();
	}
	leaving.thread = 0;
	leaving.prepared = false;
	lock_leave(saved);
}
