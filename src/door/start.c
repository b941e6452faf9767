/* SPDX-License-Identifier: MIT */
/* Starts the library in a process. */
#include "door/start.h"

#include <stdlib.h>

#include "base/dir.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/settings.h"
#include "base/state.h"
#include "door/fd.h"
#include "door/fork.h"

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

	fork_init();
	log_start();
	settings_read(envp);
	dir_each("/proc/self/fd", adopt_inherited, NULL);
	proc_start();
	state_show();
	lock_leave(saved);
}
