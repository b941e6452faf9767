/* SPDX-License-Identifier: MIT */
#include "cli/check.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/library.h"
#include "cli/plain.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/trap.h"

/* ---- the library ---- */

void check_library(struct check *c)
{
	const char *library = library_find();
	char why[512];

	if (!library) {
		MISSING(c, "library", LIBRARY_NAME " is %s", library_places());
		MEND(c, "install noiommu-shim again, library and command");
		return;
	}
	if (elf_read(library, &c->elf) || !library_loads(library, why, sizeof(why))) {
		MISSING(c, "library", "%s cannot be preloaded: %s", library, why);
		MEND(c, "install noiommu-shim again, as built for this system");
		return;
	}
	c->library = library;
	OK(c, "library", "%s", library);
}

/* ---- the program ---- */

/* A preload does not reach the program, for this reason. Checks whether traps do. */
static void check_trapped(struct check *c, const struct program *program,
			  const struct obstacle *reason)
{
	static const char name[] = "program";
	struct obstacle obstacle;

	if (trap_has_obstacle(&obstacle)) {
		MISSING(c, name, "%s %s; and %s", program->path, reason->what, obstacle.what);
		MEND(c, "%s", obstacle.instead);
		return;
	}
	json_object_set_new(c->program, "via", json_string("trap"));
	OK(c, name, "%s %s: its system calls are trapped", program->path, reason->what);
}

void check_program(struct check *c)
{
	static const char name[] = "program";
	struct obstacle obstacle;
	struct program program;
	int ret;

	if (!c->name)
		return;
	c->program = json_pack("{s:o, s:b}", "name", plain_json(c->name, strlen(c->name)),
			       "preloadable", 0);
	progress("looking at %s, and at what it loads", c->name);
	ret = program_find(c->name, &program);
	if (ret) {
		MISSING(c, name, "%s %s", c->name,
			ret == STATUS_NOT_FOUND ? "is not found" : "cannot be executed");
		MEND(c, "%s",
		     ret == STATUS_NOT_FOUND ? "check its name, and PATH"
					     : "chmod +x it, or run as its user");
		return;
	}
	json_object_set_new(c->program, "path", plain_json(program.path, strlen(program.path)));
	json_object_set_new(c->program, "loaded",
			    plain_json(program.loaded, strlen(program.loaded)));
	if (!c->library) {
		UNTOLD(c, name, "%s cannot be examined without the library", program.path);
	} else if (program_has_obstacle(&program, &c->elf, &obstacle)) {
		MISSING(c, name, "%s %s", program.path, obstacle.what);
		MEND(c, "%s", obstacle.instead);
	} else if (program_is_out_of_reach(&program, &c->elf, &obstacle)) {
		check_trapped(c, &program, &obstacle);
	} else {
		json_object_set_new(c->program, "preloadable", json_true());
		json_object_set_new(c->program, "via", json_string("preload"));
		if (program_calls_kernel(&program))
			NOTE(c, name,
			     "%s can be preloaded; it has system calls of its own, which the "
			     "library does not see",
			     program.path);
		else
			OK(c, name, "%s can be preloaded", program.path);
	}
}
