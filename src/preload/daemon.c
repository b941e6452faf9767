/* SPDX-License-Identifier: MIT */
/* The program goes on in a child. */
#include "door/daemon.h"

#include "preload/next.h"

/* What becomes of memory is done inside of it, by the handlers of its fork: door/fork.c. */
int daemon(int keeps_directory, int keeps_files)
{
	int ret;

	daemon_begin();
	ret = NEXT(daemon)(keeps_directory, keeps_files);
	daemon_end();
	return ret;
}
