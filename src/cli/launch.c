/* SPDX-License-Identifier: MIT */
#include "cli/launch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/elf.h"
#include "cli/library.h"
#include "cli/trap.h"

const char *launch_one_of(const char *option, const char *value, const char *const names[],
			  const char *verb)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(value, names[i]))
			return value;
	give_up("'%s' is not a value of %s; see noiommu-shim %s --help", value, option, verb);
}

/* The library defines the values: see src/base/settings.c. */
const char *launch_mode(const char *value, const char *verb)
{
	static const char *const modes[] = {"auto", "cdev", "group", NULL};

	return launch_one_of("--mode", value, modes, verb);
}

enum launch_via launch_via(const char *value, const char *verb)
{
	static const char *const ways[] = {"auto", "preload", "trap", NULL};

	launch_one_of("--via", value, ways, verb);
	if (!strcmp(value, "auto"))
		return VIA_AUTO;
	return strcmp(value, "trap") ? VIA_PRELOAD : VIA_TRAP;
}

void launch_set(const char *variable, const char *value)
{
	if (value && setenv(variable, value, 1))
		give_up("out of memory");
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

__attribute__((noreturn)) static void refuse(const struct launch *launch,
					     const struct obstacle *obstacle)
{
	give_up("%s %s; %s (without this command it runs as before)", launch->program[0],
		obstacle->what, obstacle->instead);
}

/* A preload and traps do the same for the program; a preload costs less. */
static void choose(struct launch *launch, const struct elf *library)
{
	struct obstacle obstacle, why;
	bool out_of_reach = program_is_out_of_reach(&launch->found, library, &obstacle);

	if (launch->via == VIA_PRELOAD && out_of_reach)
		refuse(launch, &obstacle);
	if (launch->via == VIA_AUTO)
		launch->via = out_of_reach ? VIA_TRAP : VIA_PRELOAD;
	if (launch->via == VIA_TRAP && trap_has_obstacle(&why))
		give_up("%s%s%s; its system calls cannot be trapped: %s; %s", launch->program[0],
			out_of_reach ? " " : "", out_of_reach ? obstacle.what : "", why.what,
			why.instead);
	if (launch->via == VIA_PRELOAD && program_calls_kernel(&launch->found))
		complain("%s has system calls of its own, which the library does not see; "
			 "with --via=trap it does",
			 launch->program[0]);
}

int launch_find(struct launch *launch, char **program)
{
	struct obstacle obstacle;
	struct elf elf;
	int ret;

	launch->program = program;
	launch->library = find_library(&elf);
	ret = program_find(program[0], &launch->found);
	if (ret) {
		complain(ret == STATUS_NOT_FOUND ? "%s: not found" : "%s: cannot be executed",
			 program[0]);
		return ret;
	}
	if (program_has_obstacle(&launch->found, &elf, &obstacle))
		refuse(launch, &obstacle);
	choose(launch, &elf);
	return 0;
}

static struct sigaction inherited;

void launch_see_children(void)
{
	const struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(SIGCHLD, &action, &inherited);
}

static void preload(const char *library)
{
	const char *others = getenv("LD_PRELOAD");

	launch_set("LD_PRELOAD", others && *others ? text("%s:%s", library, others) : library);
}

static void trap(void)
{
	int ret = trap_prepare();

	if (ret)
		give_up("no helper can attach to the program (%s): allow ptrace() where this runs",
			strerror(-ret));
}

int launch_exec(const struct launch *launch)
{
	int error, ret;

	if (launch->via == VIA_PRELOAD)
		preload(launch->library);
	else
		trap();
	sigaction(SIGCHLD, &inherited, NULL);
	execvp(launch->found.path, launch->program);
	error = errno;
	trap_cancel();
	ret = error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC;
	complain("%s: %s", launch->program[0], strerror(error));
	return ret;
}
