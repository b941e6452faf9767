/* SPDX-License-Identifier: MIT */
/* The library begins in a process, and goes along into the child of a fork(). */
#include "door/start.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/dir.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/state.h"
#include "door/fd.h"
#include "vfio/group.h"

static struct lock_saved at_fork;

static void before_fork(void)
{
	at_fork = lock_enter();
	group_before_fork();
}

static void after_fork_in_parent(void)
{
	lock_leave(at_fork);
}

static void after_fork_in_child(void)
{
	/* Before it has a vfork() child of its own, which would be taken for it. */
	process_generation();
	group_after_fork_in_child();
	lock_leave(at_fork);
}
static int adopt_inherited(const char *name, void *arg)
{
	int fd = (int)strtol(name, NULL, 10);

	(void)arg;
	if (*name != '.')
		fd_arrived(fd);
	return 0;
}

void start_init(char **envp)
{
	struct lock_saved saved = lock_enter();

	/* Before the host's own handlers, so that in a fork ours run inside of them. */
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	log_start();
	settings_read(envp);
	dir_each("/proc/self/fd", adopt_inherited, NULL);
	state_show();
	lock_leave(saved);
}
