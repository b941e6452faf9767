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
	struct image_origin origin;
	int ready; /* write end of a pipe: an int, 0 or a negative errno, when attached */
};

/* Who is going to execute a program, as the helper knows it: its parent. */
struct inject_target {
	pid_t process;
	pid_t thread;
};

/*
 * The helper's whole life: attaches, says so, waits for the exec(), puts the image in and
 * lets the program go. 0, or a negative errno: then the process was killed if it had made
 * the exec() already. Closes ready.
 */
int inject(const struct inject *inject, const struct inject_target *target);

#endif
