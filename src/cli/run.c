/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"

struct run {
	const char *mode;
	const char *unpinned;
	const char *level;
	const char *file;
	enum launch_via via;
	char **program;
};

enum { OPTION_MODE = 256, OPTION_UNPINNED, OPTION_LOG, OPTION_LOG_FILE, OPTION_VIA };

static const struct argp_option options[] = {
	{"mode", OPTION_MODE, "MODE", 0,
	 "auto: the cdev path if it exists, else the group path (the default); cdev: the cdev "
	 "path, or refuse; group: the group path, and only observe",
	 0},
	{"unpinned", OPTION_UNPINNED, "WHAT", 0,
	 "the result of a lookup whose page cannot be pinned: refuse: it fails (the default); "
	 "fallback: the program gets an address, and nothing keeps the page there",
	 0},
	{"log", OPTION_LOG, "LEVEL", 0, "error, warn (the default), info or debug", 0},
	{"log-file", OPTION_LOG_FILE, "FILE", 0, "append the log to FILE instead of standard error",
	 0},
	{"via", OPTION_VIA, "WAY", 0,
	 "preload: preload the library; trap: trap system calls, also of programs that no "
	 "preload reaches; auto: preload if that reaches PROGRAM, else trap (the default)",
	 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const choices[] = {"refuse", "fallback", NULL};
	static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
	struct run *run = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case OPTION_MODE:
		run->mode = launch_mode(arg, "run");
		return 0;
	case OPTION_UNPINNED:
		run->unpinned = launch_one_of("--unpinned", arg, choices, "run");
		return 0;
	case OPTION_LOG:
		run->level = launch_one_of("--log", arg, levels, "run");
		return 0;
	case OPTION_LOG_FILE:
		run->file = arg;
		return 0;
	case OPTION_VIA:
		run->via = launch_via(arg, "run");
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

/* Programs that PROGRAM starts in other directories must log to the same file. */
static const char *absolute(const char *file)
{
	char dir[PATH_MAX];

	if (!file || *file == '/' || !getcwd(dir, sizeof(dir)))
		return file;
	return text("%s/%s", dir, file);
}

int run_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[--] PROGRAM [ARG...]",
		.doc = "Runs PROGRAM under the library. PROGRAM takes the place of this "
		       "command: pid, signals and exit status are its own.\v"
		       "Exit status: that of PROGRAM; 2: bad usage, no library, or PROGRAM cannot "
		       "be served; 126: PROGRAM cannot be executed; 127: it is not found.",
	};
	struct run run = {0};
	struct launch launch;
	int ret;

	parse_options(&argp, argc, argv, &run);
	launch.via = run.via;
	ret = launch_find(&launch, run.program);
	if (ret)
		return ret;
	launch_set("NOIOMMU_SHIM_MODE", run.mode);
	launch_set("NOIOMMU_SHIM_UNPINNED", run.unpinned);
	launch_set("NOIOMMU_SHIM_LOG", run.level);
	launch_set("NOIOMMU_SHIM_LOG_FILE", absolute(run.file));
	return launch_exec(&launch);
}
