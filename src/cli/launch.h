/* SPDX-License-Identifier: MIT */
/* Starting a program with the library preloaded, for every verb that does. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/program.h"

enum launch_via {
	VIA_AUTO, /* by a preload where that reaches the program, else by traps */
	VIA_PRELOAD,
	VIA_TRAP,
};

struct launch {
	enum launch_via via; /* as asked for; then as chosen */
	char **program;	     /* its name and its arguments, NULL behind them */
	const char *library;
	struct program found;
};

/*
 * Makes waitpid() see this command's children even where its parent ignores
 * SIGCHLD; launch_exec() hands that on to the program as it was.
 */
void launch_see_children(void);

/*
 * Finds the library, proves that it loads, finds program and chooses the way into
 * it, where launch->via leaves that open. 0, STATUS_CANNOT_EXEC or STATUS_NOT_FOUND after a line
 * that says so; gives up when it cannot be served.
 */
int launch_find(struct launch *launch, char **program);

/* Value of option --via, or gives up. */
enum launch_via launch_via(const char *value, const char *verb);

/* Sets an environment variable; a NULL value leaves it as it is. */
void launch_set(const char *variable, const char *value);

/* Value of option --mode: itself, or gives up. */
const char *launch_mode(const char *value, const char *verb);

/* value, if it is one of names, which end with NULL; else gives up. */
const char *launch_one_of(const char *option, const char *value, const char *const names[],
			  const char *verb);

/*
 * Becomes the program, which is served from then on. Returns only when that
 * fails, with the status to exit with, after a line that says why.
 */
int launch_exec(const struct launch *launch);

#endif
