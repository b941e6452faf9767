/* SPDX-License-Identifier: MIT */
/* daemon(): the program continues in a child. */
#include "door/daemon.h"

#include "preload/next.h"

/* The fork handlers hand over the pins, inside the call: door/fork.c. */
int daemon(int keeps_directory, int keeps_files)
{
	int ret;

	daemon_begin();
	ret = NEXT(daemon)(keeps_directory, keeps_files);
	daemon_end();
	return ret;
}
