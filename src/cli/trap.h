/* SPDX-License-Identifier: MIT */
/*
 * The way in for programs that no preload reaches: an image of the library is put into
 * the process when the program starts, and traps its system calls. See src/trap.
 */
#ifndef CLI_TRAP_H
#define CLI_TRAP_H

#include "cli/program.h"

/*
 * True, with *obstacle filled in, where that cannot be done here: what is known to forbid it
 * is asked for, and then it is tried. Needs launch_see_children() before.
 */
bool trap_has_obstacle(struct obstacle *obstacle);

/*
 * From now on this process is served from the start of the program that it executes.
 * 0, or a negative errno; then nothing is changed. trap_cancel() where the program could
 * not be executed.
 */
int trap_prepare(void);
void trap_cancel(void);

#endif
