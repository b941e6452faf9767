/* SPDX-License-Identifier: MIT */
/*
 * Puts the image into a process at the stop behind exec(). The command does it for the
 * first program, the image itself for what its program becomes.
 *
 * The helper is a child of the process that it serves: raised without a signal for its
 * end, and waited for by the image, it leaves nothing behind.
 */
#ifndef TRAP_INJECT_H
#define TRAP_INJECT_H

#include <stdbool.h>
#include <sys/types.h>

#include "trap/image.h"

struct inject {
	const void *text; /* the image, from its head on */
	const void *data; /* as it was before it ran */
	bool filtered;	  /* the filter comes along by exec() */
	int ready;	  /* write end of a pipe: an int, 0 or a negative errno, when attached */
};

/*
 * The helper's whole life: attaches to its parent, says so, waits for its exec(), puts
 * the image in and lets it go. 0, or a negative errno: then the process was killed if it
 * had made the exec() already. Closes ready.
 */
int inject_parent(const struct inject *inject);

#endif
