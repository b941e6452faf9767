/* SPDX-License-Identifier: MIT */
/* The parent's and the child's side of fork(). */
#include "door/fork.h"

#include <pthread.h>

#include "base/fdtab.h"
#include "base/hidden.h"
#include "base/limit.h"
#include "base/lock.h"
#include "base/proc.h"
#include "base/process.h"
#include "door/daemon.h"
#include "iommufd/ioas.h"
#include "pin/deferred.h"
#include "pin/withhold.h"
#include "uring/uring.h"
#include "vfio/container.h"
#include "vfio/group.h"
#include "vfio/inherited.h"

static bool shares_files;

/*
 * Identifies the descriptor again by the kernel. Lost are the stand-ins, and which
 * descriptor belongs to which of several containers.
 */
static void arrive_again(int fd, enum fd_kind kind)
{
	if (kind == FD_HIDDEN)
		hidden_inherited(fd, shares_files);
	else if (kind == FD_CONTAINER)
		container_adopt(fd);
	else if (kind == FD_GROUP || kind == FD_DEVICE || kind == FD_RECEIVED)
		group_arrived_as(fd, kind);
}

static void rebuild(void)
{
	shares_files = process_may_share_files();
	group_abandon();
	container_abandon();
	ioas_abandon();
	uring_abandon();
	deferred_abandon();
	fdtab_rebuild(arrive_again);
}

/* For lock_in_new_process. */
static void begin(bool torn)
{
	/* First: a vfork() child of this process must not be taken for a new process. */
	process_generation();
	if (torn)
		rebuild();
	limit_in_child();
	proc_forked();
	ioas_in_child();
	uring_in_child();
	daemon_in_child();
	uring_close_inherited();
	inherited_in_child();
	group_after_fork_in_child();
}

static void before_fork(void)
{
	struct lock_saved saved = lock_enter();

	group_before_fork();
	daemon_before_fork();
	withhold_before_fork();
	inherited_before_fork();
	lock_leave_to_fork(saved);
}

static void in_parent(void)
{
	lock_forked();
	daemon_in_parent();
}

void fork_init(void)
{
	process_generation(); /* so that the child's number differs */
	lock_in_new_process = begin;
	/*
	 * Registered before the program's handlers: at a fork its prepare handlers run
	 * before ours, the other ones after ours.
	 */
	pthread_atfork(before_fork, in_parent, lock_begin_in_child);
}
