/* SPDX-License-Identifier: MIT */
/*
 * The way in for programs that no preload reaches: an image of the library is put into
 * the process when the program starts, and traps its system calls. See src/trap.
 */
#ifndef CLI_TRAP_H
#define CLI_TRAP_H

#include "cli/program.h"

/*
 * True, with *obstacle filled in, if this cannot be done here. Looks for known obstacles
 * first, then tries it. Call launch_see_children() before.
 */
bool trap_has_obstacle(struct obstacle *obstacle);

/*
 * Prepares this process: the program that it executes is served from its start. Returns
 * 0, or a negative errno with nothing changed. Call trap_cancel() if the program could not
 * be executed.
 */
int trap_prepare(void);
void trap_cancel(void);

#endif
