/* SPDX-License-Identifier: MIT */
/*
 * Puts the image into a process at the stop after exec(). The command does so for the first
 * program, and the image for each program that its own program executes.
 *
 * A helper process does the work. It is a child of the process that gets the image. It has no
 * exit signal, and the image waits for it, so that the program does not see it.
 */
#ifndef TRAP_INJECT_H
#define TRAP_INJECT_H

#include <stdbool.h>
#include <sys/types.h>

#include "trap/image.h"

struct inject {
	const void *text; /* the image, from its head on */
	const void *data; /* the image's, as they were before it ran */
	struct image_origin origin;
	int ready; /* write end of a pipe, for the result of attaching: an int, 0 or -errno */
};

/* The process and thread that will execute a program. The helper is their child. */
struct inject_target {
	pid_t process;
	pid_t thread;
};

/*
 * All that the helper does: attaches, writes the result to ready and closes it, waits for the
 * exec(), puts the image in and detaches. 0, also if it could not attach, or the process has
 * ended; or a negative errno: it could not serve the process, and has killed it.
 */
int inject(const struct inject *inject, const struct inject_target *target);

#endif
