/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/about.h"
#include "cli/cli.h"
#include "cli/comparison.h"
#include "cli/devices.h"
#include "cli/launch.h"
#include "cli/record.h"
#include "cli/report.h"

struct compare {
	uint64_t limit; /* ns; 0: none */
	bool json;
	const struct way *ways[2];
	size_t way_count;
	const char *against[2]; /* files with records */
	size_t against_count;
	const char *record; /* the file to write a record to */
	FILE *record_to;
	const char *report; /* the file to write a page to */
	FILE *report_to;
	char **program;
	struct comparison comparison;
};

enum { OPTION_FOR = 256, OPTION_JSON, OPTION_WAYS, OPTION_RECORD, OPTION_AGAINST, OPTION_REPORT };

static const struct argp_option options[] = {
	{"for", OPTION_FOR, "TIME", 0,
	 "end PROGRAM with SIGINT after TIME: a number with ms, s (the default) or m", 0},
	{"ways", OPTION_WAYS, "WAY[,WAY]", 0,
	 "how to run PROGRAM: group, cdev, iommufd, uring, preload or trap; the default is "
	 "group,cdev",
	 0},
	{"record", OPTION_RECORD, "FILE", 0,
	 "run PROGRAM one way only (the default is group), and write FILE for --against", 0},
	{"against", OPTION_AGAINST, "FILE", 0,
	 "compare with the record in FILE, and run PROGRAM one way only (the default is cdev); "
	 "given twice, compare two records and run nothing",
	 0},
	{"report", OPTION_REPORT, "FILE.html", 0,
	 "also write a page with the result, with pictures, and how to read it", 0},
	{"json", OPTION_JSON, NULL, 0, "print JSON", 0},
	{0},
};

static uint64_t parse_time(const char *arg)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"", 1e9}};
	char *unit;
	double value = strtod(arg, &unit);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name) && unit != arg && value > 0 && value <= 1e6)
			return (uint64_t)(value * units[i].ns);
	give_up("'%s' is not a time; see noiommu-shim compare --help", arg);
}

static void parse_ways(struct compare *compare, char *arg)
{
	char *rest = arg, *name;

	compare->way_count = 0;
	while ((name = strsep(&rest, ","))) {
		const struct way *way = way_find(name);

		if (!way)
			give_up("'%s' is not a way; see noiommu-shim compare --help", name);
		if (compare->way_count == 2)
			give_up("more than two ways; see noiommu-shim compare --help");
		compare->ways[compare->way_count++] = way;
	}
}

/* Decides how many runs there are, and in which ways, from all options together. */
static void settle(struct compare *compare)
{
	size_t runs = compare->record ? 1 : 2 - compare->against_count;

	if (compare->record && compare->against_count)
		give_up("--record and --against exclude each other; see noiommu-shim compare --help");
	if (compare->record && compare->report)
		give_up("--record and --report exclude each other; see noiommu-shim compare --help");
	if (runs && !compare->program)
		give_up("a program is missing; see noiommu-shim compare --help");
	if (!runs && compare->program)
		give_up("two records need no program; see noiommu-shim compare --help");
	if (compare->way_count && compare->way_count != runs)
		give_up("--ways needs %zu here; see noiommu-shim compare --help", runs);
	if (compare->way_count)
		return;
	compare->ways[0] = way_find(compare->against_count ? "cdev" : "group");
	compare->ways[1] = way_find("cdev");
	compare->way_count = runs;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare *compare = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case OPTION_FOR:
		compare->limit = parse_time(arg);
		return 0;
	case OPTION_JSON:
		compare->json = true;
		return 0;
	case OPTION_WAYS:
		parse_ways(compare, arg);
		return 0;
	case OPTION_RECORD:
		compare->record = arg;
		return 0;
	case OPTION_AGAINST:
		if (compare->against_count == 2)
			give_up("more than two records; see noiommu-shim compare --help");
		compare->against[compare->against_count++] = arg;
		return 0;
	case OPTION_REPORT:
		compare->report = arg;
		return 0;
	case ARGP_KEY_ARG:
		compare->program = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		settle(compare);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- what the ways need must be there ---- */

static bool has_group(void)
{
	glob_t found;
	bool has = !glob("/sys/class/vfio/noiommu-*", 0, NULL, &found);

	if (has)
		globfree(&found);
	return has;
}

static bool has_cdev(void)
{
	struct devices devices;
	bool has = false;

	devices_list(&devices);
	for (size_t i = 0; i < devices.count; i++)
		has = has || devices.list[i].noiommu;
	devices_free(&devices);
	return has;
}

static void check_machine(const struct compare *compare)
{
	for (size_t i = 0; i < compare->way_count; i++)
		if (compare->ways[i]->needs_cdev && !has_cdev())
			give_up("there is no cdev path here: no device has a no-IOMMU cdev; see "
				"noiommu-shim check");
	/*
	 * A record needs no group, nor does a driver that uses UIO, on a kernel without
	 * cdevs: it looks addresses up, too.
	 */
	for (size_t i = 0; !compare->record && i < compare->way_count; i++)
		if (compare->ways[i]->needs_group && !has_group() && has_cdev())
			give_up("there is no group path here to compare with: this kernel has no "
				"VFIO groups (CONFIG_VFIO_GROUP)");
}

/* ---- the runs ---- */

static void run_side(struct side *side, const struct launch *launch, const struct way *way,
		     uint64_t limit)
{
	const char *name = launch->program[0];

	complain("%s: %s", name, way->title);
	side->way = way;
	side->about = about(launch);
	side_run(side, launch, limit);
	if (side->session.aborted)
		give_up("ended by signal %d", side->session.aborted);
	if (side->session.damaged)
		give_up("cannot compare: %s has overwritten the memory of its events", name);
	if (side->killed)
		complain("%s did not end after SIGINT and was killed", name);
}

static int find_program(const struct compare *compare, struct launch launches[2])
{
	int ret = 0;

	for (size_t i = 0; !ret && i < compare->way_count; i++) {
		launches[i].via = compare->ways[i]->via;
		if (i && launches[i].via == compare->ways[0]->via)
			launches[i] = launches[0];
		else
			ret = launch_find(&launches[i], compare->program);
	}
	return ret;
}

static int run_all(struct compare *compare)
{
	struct comparison *comparison = &compare->comparison;
	struct launch launches[2] = {{.via = VIA_AUTO}};

	for (size_t i = 0; i < compare->against_count; i++)
		record_read(&comparison->sides[i], compare->against[i]);
	if (!compare->way_count)
		return 0;
	if (find_program(compare, launches))
		return STATUS_TROUBLE;
	check_machine(compare);
	complain("runs %s %s; each run resets its devices", compare->program[0],
		 compare->way_count == 2 ? "twice" : "once");
	for (size_t i = 0; i < compare->way_count; i++) {
		struct side *side = &comparison->sides[compare->against_count + i];

		run_side(side, &launches[i], compare->ways[i], compare->limit);
		if (!i && !compare->against_count && !side->asked)
			give_up("%s did not use VFIO and looked up no address",
				compare->program[0]);
	}
	return 0;
}

/* ---- the results ---- */

/* Called before anything runs, so that no device is reset if it fails. */
static FILE *open_output(const char *file)
{
	FILE *to = fopen(file, "we");

	if (!to)
		give_up("cannot write to %s: %s", file, strerror(errno));
	return to;
}

static void close_output(FILE *to, const char *file)
{
	bool failed = ferror(to);

	if (fclose(to) || failed)
		give_up("cannot write to %s: %s", file, strerror(errno));
}

static int put_record(struct compare *compare)
{
	const struct side *side = &compare->comparison.sides[0];

	record_write(side, compare->record_to);
	close_output(compare->record_to, compare->record);
	if (side->lost)
		complain("events were lost: this record does not have all operations");
	return 0;
}

static int put_comparison(struct compare *compare)
{
	struct comparison *comparison = &compare->comparison;

	comparison_judge(comparison);
	if (compare->report) {
		report_write(comparison, compare->report_to);
		close_output(compare->report_to, compare->report);
	}
	if (compare->json)
		comparison_print_json(comparison);
	else
		comparison_print(comparison);
	if (fflush(stdout) || ferror(stdout))
		give_up("cannot write: %s", strerror(errno));
	return comparison_same(comparison) ? 0 : STATUS_NOT_READY;
}

int compare_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[--] PROGRAM [ARG...]",
		.doc = "Runs PROGRAM twice, on the group path and on the cdev path. Compares the "
		       "answers that it got, whether its addresses stayed, and how long it took. "
		       "Both runs open, and so reset, the devices. PROGRAM has no standard input, "
		       "and its output goes to standard error.\v"
		       "Exit status: 0: the results are the same, no address moved except on the "
		       "group path, and no event was lost; 1: otherwise; 2: bad usage, or the command "
		       "could not compare. With --record, 0: the record is written.",
	};
	static struct compare compare;

	parse_options(&argp, argc, argv, &compare);
	if (compare.record)
		compare.record_to = open_output(compare.record);
	if (compare.report)
		compare.report_to = open_output(compare.report);
	if (run_all(&compare))
		return STATUS_TROUBLE;
	return compare.record ? put_record(&compare) : put_comparison(&compare);
}
