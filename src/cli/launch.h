/* SPDX-License-Identifier: MIT */
/* Starting a program under the library, for every verb that does. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/program.h"

enum launch_via {
	VIA_AUTO, /* preload if that reaches the program, else trap */
	VIA_PRELOAD,
	VIA_TRAP,
};

struct launch {
	enum launch_via via; /* as asked for; then as chosen */
	char **program;	     /* its name and its arguments, then NULL */
	const char *library;
	struct program found;
};

/*
 * Makes waitpid() see this command's children even if the parent of this command
 * ignores SIGCHLD. launch_exec() restores this for the program.
 */
void launch_see_children(void);

/*
 * Finds the library, proves that it loads, finds the program, and chooses the way
 * into it if launch->via is VIA_AUTO. Returns 0, or prints a message and returns
 * STATUS_CANNOT_EXEC or STATUS_NOT_FOUND. Gives up if the program cannot be served.
 */
int launch_find(struct launch *launch, char **program);

/* Reads the value of option --via. Gives up if there is no such value. */
enum launch_via launch_via(const char *value, const char *verb);

/* Sets an environment variable; a NULL value leaves it as it is. */
void launch_set(const char *variable, const char *value);

/* Returns the value of option --mode. Gives up if there is no such value. */
const char *launch_mode(const char *value, const char *verb);

/* Returns value if it is one of names, which end with NULL. Gives up otherwise. */
const char *launch_one_of(const char *option, const char *value, const char *const names[],
			  const char *verb);

/*
 * Executes the program, which is served from its start. Returns only on failure:
 * prints why, and returns the exit status.
 */
int launch_exec(const struct launch *launch);

#endif
