/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <config.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/launch.h"
#include "cli/library.h"
#include "cli/plain.h"
#include "cli/progress.h"
#include "cli/screen.h"

const char *argp_program_version = PACKAGE_STRING;

static const struct verb {
	const char *name;
	char *title;
	int (*main)(int argc, char **argv);
} verbs[] = {
	{"run", "noiommu-shim run", run_main},
	{"check", "noiommu-shim check", check_main},
	{"ps", "noiommu-shim ps", ps_main},
	{"trace", "noiommu-shim trace", trace_main},
	{"compare", "noiommu-shim compare", compare_main},
	{"cdi", "noiommu-shim cdi", cdi_main},
};

/* What messages begin with: the command and, once it is known, the verb. */
static const char *speaker = "noiommu-shim";

static void say(const char *format, va_list args)
{
	char *line, *words;

	if (vasprintf(&line, format, args) < 0)
		return;
	progress_end();
	words = plain(line, strlen(line));
	fprintf(stderr, "%s: %s\n", speaker, words);
	free(words);
	free(line);
}

void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void give_up(const char *format, ...)
{
	va_list args;

	/* A message on the alternate screen would disappear with it. */
	screen_end();
	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(STATUS_TROUBLE);
}

char *text(const char *format, ...)
{
	va_list args;
	char *to;
	int len;

	va_start(args, format);
	len = vasprintf(&to, format, args);
	va_end(args);
	if (len < 0)
		give_up("out of memory");
	return to;
}

const char *duration(uint64_t ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
	static char texts[4][16];
	static unsigned int turn;
	char *to = texts[turn++ % 4];
	size_t unit = 0;
	double value;

	while (unit < 3 && (double)ns < units[unit].ns)
		unit++;
	value = (double)ns / units[unit].ns;
	snprintf(to, sizeof(texts[0]), "%.*f %s",
		 unit == 3 || value >= 100 ? 0
		 : value < 10		   ? 2
					   : 1,
		 value, units[unit].name);
	return to;
}

/*
 * getopt prints a line about an option that it does not know. Only if argp has a
 * stream for that, it adds where to find help and ends the program.
 */
void parse_options(const struct argp *argp, int argc, char **argv, void *input)
{
	if (argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input))
		exit(STATUS_TROUBLE);
}

struct chosen {
	const struct verb *verb;
	int argc;
	char **argv;
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	give_up("'%s' is not a verb; see noiommu-shim --help", name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct chosen *chosen = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case ARGP_KEY_ARG:
		chosen->verb = find_verb(arg);
		chosen->argc = state->argc - state->next + 1;
		chosen->argv = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		give_up("a verb is missing; see noiommu-shim --help");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "VERB [OPTION...] [-- PROGRAM [ARG...]]",
		.doc = "Runs unmodified drivers for VFIO no-IOMMU groups on the kernel's device "
		       "cdevs, with their memory pinned.\v"
		       "  run -- PROGRAM [ARG...]      run PROGRAM under the library\n"
		       "  check [-- PROGRAM]           show what is missing, and how to get it\n"
		       "  trace -- PROGRAM [ARG...]    run PROGRAM and print its VFIO operations\n"
		       "  compare -- PROGRAM [ARG...]  run PROGRAM on the group and the cdev path\n"
		       "  ps [PID]                     show the processes that are served now\n"
		       "  cdi                          describe the devices to container engines\n\n"
		       "See also noiommu-shim VERB --help, noiommu-shim(1) and noiommu-shim(7).",
	};
	struct chosen chosen = {0};

	/* Only library_loads() runs this command with this argument. */
	if (argc == 3 && !strcmp(argv[1], LIBRARY_PROOF))
		return library_is_mapped(argv[2]) ? 0 : STATUS_NOT_READY;
	launch_see_children();
	parse_options(&argp, argc, argv, &chosen);
	speaker = chosen.verb->title;
	chosen.argv[0] = chosen.verb->title;
	return chosen.verb->main(chosen.argc, chosen.argv);
}
