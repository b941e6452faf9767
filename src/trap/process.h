/* SPDX-License-Identifier: MIT */
/* exec() of the program. */
#ifndef TRAP_PROCESS_H
#define TRAP_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/*
 * execve() or execveat(). Returns a negative errno if it fails. Runs on the program's own
 * stack: if another thread's exec() comes first, this thread leaves nothing else behind. mask
 * is the program's signal mask.
 */
long process_exec(long nr, const long a[6], uint64_t mask);

/* Copies the image's data for later images. Called before they change. 0 or a negative errno. */
int process_keep_data(void);

#endif
