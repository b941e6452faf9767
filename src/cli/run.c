/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/elf.h"
#include "cli/library.h"
#include "cli/program.h"

struct run {
	const char *mode;
	const char *unpinned;
	const char *level;
	const char *file;
	char **program;
};

enum { OPTION_MODE = 256, OPTION_UNPINNED, OPTION_LOG, OPTION_LOG_FILE };

static const struct argp_option options[] = {
	{"mode", OPTION_MODE, "MODE", 0,
	 "auto: the cdev path where it exists, else the group path as it is (the default); "
	 "cdev: the cdev path, or refuse; group: never redirect, only observe",
	 0},
	{"unpinned", OPTION_UNPINNED, "WHAT", 0,
	 "where a page cannot be pinned: refuse: the lookup fails (the default); fallback: the "
	 "program gets an address that nothing holds",
	 0},
	{"log", OPTION_LOG, "LEVEL", 0, "error, warn (the default), info or debug", 0},
	{"log-file", OPTION_LOG_FILE, "FILE", 0, "append the log to FILE, not to standard error",
	 0},
	{0},
};

/* The values are the library's, see src/base/settings.c. */
static const char *one_of(const char *option, const char *value, const char *const names[])
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(value, names[i]))
			return value;
	give_up("'%s' is not a value of %s; see noiommu-shim run --help", value, option);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const modes[] = {"auto", "cdev", "group", NULL};
	static const char *const choices[] = {"refuse", "fallback", NULL};
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
	struct run *run = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case OPTION_MODE:
		run->mode = one_of("--mode", arg, modes);
		return 0;
	case OPTION_UNPINNED:
		run->unpinned = one_of("--unpinned", arg, choices);
		return 0;
	case OPTION_LOG:
		run->level = one_of("--log", arg, levels);
		return 0;
	case OPTION_LOG_FILE:
		run->file = arg;
		return 0;
	case ARGP_KEY_ARG:
		run->program = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		give_up("a program is missing; see noiommu-shim run --help");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void set(const char *variable, const char *value)
{
	if (value && setenv(variable, value, 1))
		give_up("out of memory");
}

/* Programs that PROGRAM starts log to the same file, wherever they are. */
static const char *absolute(const char *file)
{
	char dir[PATH_MAX];

	if (!file || *file == '/' || !getcwd(dir, sizeof(dir)))
		return file;
	return text("%s/%s", dir, file);
}

static void preload(const char *library)
{
	const char *others = getenv("LD_PRELOAD");

	set("LD_PRELOAD", others && *others ? text("%s:%s", library, others) : library);
}

static const char *find_library(struct elf *elf)
{
	const char *library = library_find();
	char why[512];
	int ret;

	if (!library)
		give_up(LIBRARY_NAME " is missing: it is %s", library_places());
	ret = elf_read(library, elf);
	if (ret)
		give_up("cannot use %s: %s", library, strerror(-ret));
	if (!library_loads(library, why, sizeof(why)))
		give_up("cannot preload %s: %s", library, why);
	return library;
}

int run_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[--] PROGRAM [ARG...]",
		.doc = "Runs PROGRAM with the library preloaded. PROGRAM takes the place of this "
		       "command: pid, signals and exit status are its own.\v"
		       "Exit status: that of PROGRAM; 2: bad usage, no library, or PROGRAM cannot "
		       "be served; 126: PROGRAM cannot be executed; 127: it is not found.",
	};
	struct run run = {0};
	struct program program;
	struct obstacle obstacle;
	const char *library;
	struct elf elf;
	int ret;

	parse_options(&argp, argc, argv, &run);
	library = find_library(&elf);
	ret = program_find(run.program[0], &program);
	if (ret) {
		complain(ret == STATUS_NOT_FOUND ? "%s: not found" : "%s: cannot be executed",
			 run.program[0]);
		return ret;
	}
	if (program_has_obstacle(&program, &elf, &obstacle))
		give_up("%s %s; %s (without this command it runs as ever, its memory not pinned)",
			run.program[0], obstacle.what, obstacle.instead);
	if (program_calls_kernel(&program))
		complain("%s has system calls of its own, which the library does not see",
			 run.program[0]);
	set("NOIOMMU_SHIM_MODE", run.mode);
	set("NOIOMMU_SHIM_UNPINNED", run.unpinned);
	set("NOIOMMU_SHIM_LOG", run.level);
	set("NOIOMMU_SHIM_LOG_FILE", absolute(run.file));
	preload(library);
	execvp(program.path, run.program);
	ret = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC;
	complain("%s: %s", run.program[0], strerror(errno));
	return ret;
}
