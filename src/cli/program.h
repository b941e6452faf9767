/* SPDX-License-Identifier: MIT */
/* The program that is to be served: where it is, and whether a preload reaches it. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "cli/elf.h"

struct program {
	char path[PATH_MAX];   /* the file to execute */
	char loaded[PATH_MAX]; /* what runs then: the same, or a script's interpreter */
};

/* Finds name as execvp() does. 0, STATUS_CANNOT_EXEC or STATUS_NOT_FOUND. */
int program_find(const char *name, struct program *program);

/*
 * True if it makes system calls without libc, which a preloaded library does not
 * see. They may be for something else.
 */
bool program_calls_kernel(const struct program *program);

/* Why a program cannot be served, and what to do about it. */
struct obstacle {
	char what[2 * PATH_MAX];
	char instead[256];
};

/*
 * True, with *obstacle filled in, if the program cannot be served in any way: it is
 * for another processor, gains rights, or cannot be read.
 */
bool program_has_obstacle(const struct program *program, const struct elf *library,
			  struct obstacle *obstacle);

/* The same if the library cannot be preloaded, or would not see the system calls. */
bool program_is_out_of_reach(const struct program *program, const struct elf *library,
			     struct obstacle *obstacle);

#endif
