/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/devices.h"
#include "cli/launch.h"
#include "cli/side.h"

struct compare {
	uint64_t limit; /* ns; 0: none */
	bool json;
	char **program;
	struct side group, cdev;
	size_t asked;	  /* questions on either path */
	size_t different; /* of these, with other answers */
	char *verdict;
};

enum { OPTION_FOR = 256, OPTION_JSON };

static const struct argp_option options[] = {
	{"for", OPTION_FOR, "TIME", 0,
	 "end PROGRAM with SIGINT after TIME: a number with ms, s (the default) or m", 0},
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
	case ARGP_KEY_ARG:
		compare->program = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		give_up("a program is missing; see noiommu-shim compare --help");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- both paths must be there ---- */

static void check_machine(void)
{
	struct devices devices;
	bool has_cdev = false, has_group = false;

	devices_read(&devices);
	for (size_t i = 0; i < devices.count; i++) {
		has_cdev = has_cdev || devices.list[i].noiommu;
		has_group = has_group || (devices.list[i].noiommu && *devices.list[i].group);
	}
	if (!has_cdev)
		give_up("there is no cdev path here: no device has a no-IOMMU cdev; see "
			"noiommu-shim check");
	if (!has_group)
		give_up("there is no group path here to compare with: this kernel has no VFIO "
			"groups (CONFIG_VFIO_GROUP)");
}

/* ---- differences ---- */

static bool same_answers(const struct operation *one, const struct operation *other)
{
	if (!one || !other || one->count != other->count)
		return false;
	for (size_t i = 0; i < one->count; i++)
		if (strcmp(one->answers[i], other->answers[i]))
			return false;
	return true;
}

/* What an operation was answered on a path: "done", or "EBUSY, then done". */
static char *answers_of(const struct operation *operation)
{
	char *list = operation ? operation->answers[0] : "not asked";

	for (size_t i = 1; operation && i < operation->count; i++)
		list = text("%s, then %s", list, operation->answers[i]);
	return list;
}

typedef void difference(const char *question, const struct operation *group,
			const struct operation *cdev, void *arg);

/* Returns how many questions there were. */
static size_t each_difference(const struct compare *compare, difference *what, void *arg)
{
	const struct side *group = &compare->group, *cdev = &compare->cdev;
	size_t asked = group->operation_count;

	for (size_t i = 0; i < group->operation_count; i++) {
		const struct operation *one = &group->operations[i];
		const struct operation *other = side_find(cdev, one->question);

		if (!same_answers(one, other))
			what(one->question, one, other, arg);
	}
	for (size_t i = 0; i < cdev->operation_count; i++) {
		const struct operation *other = &cdev->operations[i];

		if (side_find(group, other->question))
			continue;
		asked++;
		what(other->question, NULL, other, arg);
	}
	return asked;
}

static void count_difference(const char *question, const struct operation *group,
			     const struct operation *cdev, void *arg)
{
	(void)question;
	(void)group;
	(void)cdev;
	++*(size_t *)arg;
}

static bool same_status(const struct compare *compare)
{
	return session_exit_status(&compare->group.session) ==
	       session_exit_status(&compare->cdev.session);
}

static bool is_same(const struct compare *compare)
{
	return !compare->different && same_status(compare) && !compare->cdev.addresses.moved;
}

static char *moved_on(const struct addresses *addresses)
{
	if (!addresses->moved)
		return text("none");
	return text("%zu of %zu", addresses->moved, addresses->given);
}

/* What became of the addresses. */
static char *judge_addresses(const struct compare *compare)
{
	const struct addresses *group = &compare->group.addresses;
	const struct addresses *cdev = &compare->cdev.addresses;

	if (!group->given && !cdev->given)
		return text("no address was handed out");
	if (!group->moved && !cdev->moved)
		return text("no address moved");
	return text("moved: group %s, cdev %s", moved_on(group), moved_on(cdev));
}

/* The one line that says it all. */
static char *judge(const struct compare *compare)
{
	char *addresses = judge_addresses(compare);

	if (compare->different)
		return text("Different results (%zu of %zu operations); %s.", compare->different,
			    compare->asked, addresses);
	if (!same_status(compare))
		return text("Different exit status (%zu operations); %s.", compare->asked,
			    addresses);
	return text("Same results (%zu operations); %s.", compare->asked, addresses);
}

/* ---- for people ---- */

#define BAR 14

/* The part that value is of whole, as a bar; "" where there is nothing to draw. */
static const char *bar(double value, double whole, char *to)
{
	int len = value > 0 && whole > 0 ? (int)(value / whole * BAR + 0.5) : 0;

	if (value > 0 && whole > 0 && !len)
		len = 1;
	memset(to, '#', (size_t)len);
	to[len] = '\0';
	return to;
}

struct cell {
	const char *text;
	double value;
};

/* A line of the table. A full bar is whole; 0: no bars. */
static void print_row(const char *label, struct cell group, struct cell cdev, double whole)
{
	char bars[2][BAR + 1];
	char *line =
		text("%-25s%9s %-*s %10s %s", label, group.text, BAR,
		     bar(group.value, whole, bars[0]), cdev.text, bar(cdev.value, whole, bars[1]));
	size_t len = strlen(line);

	while (len && line[len - 1] == ' ')
		len--;
	printf("%.*s\n", (int)len, line);
	free(line);
}

static double greater(struct cell one, struct cell other)
{
	return one.value > other.value ? one.value : other.value;
}

static struct cell time_cell(uint64_t ns)
{
	return (struct cell){ns ? duration(ns) : "-", (double)ns};
}

static struct cell count_cell(size_t count)
{
	return (struct cell){text("%zu", count), (double)count};
}

static struct cell bytes_cell(uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	int unit = 0;

	for (; value >= 1024 && unit < 3; unit++)
		value /= 1024;
	return (struct cell){
		text("%.*f %s", value == (double)(uint64_t)value ? 0 : 1, value, units[unit]),
		(double)bytes};
}

static struct cell backend_cell(const struct side *side)
{
	return (struct cell){side->backend ? side->backend : "-", 0};
}

/* Rows of which the greater cell has the full bar. */
static void print_times(const char *label, uint64_t group, uint64_t cdev)
{
	struct cell one = time_cell(group), other = time_cell(cdev);

	print_row(label, one, other, greater(one, other));
}

static void print_counts(const char *label, size_t group, size_t cdev)
{
	print_row(label, count_cell(group), count_cell(cdev), 0);
}

static void print_table(const struct compare *compare)
{
	const struct side *group = &compare->group, *cdev = &compare->cdev;
	const struct addresses *one = &group->addresses, *other = &cdev->addresses;
	struct cell pinned[] = {bytes_cell(group->pinned), bytes_cell(cdev->pinned)};

	printf("%-25s%s %*s\n", "", "group path", BAR + 10, "cdev path");
	print_times("ran for", group->took, cdev->took);
	print_counts("exit status", (size_t)session_exit_status(&group->session),
		     (size_t)session_exit_status(&cdev->session));
	print_counts("operations", group->asked, cdev->asked);
	print_times("set-up", side_setup(group), side_setup(cdev));
	print_counts("lookups", group->lookup_count, cdev->lookup_count);
	print_times("  median", side_lookup(group, 50), side_lookup(cdev, 50));
	print_times("  99th percentile", side_lookup(group, 99), side_lookup(cdev, 99));
	print_counts("addresses handed out", one->given, other->given);
	print_counts("  seen in memory", one->seen, other->seen);
	print_row("  moved while in use", count_cell(one->moved), count_cell(other->moved),
		  (double)(one->seen > other->seen ? one->seen : other->seen));
	print_row("pinned (VmPin)", pinned[0], pinned[1], greater(pinned[0], pinned[1]));
	print_row("  by", backend_cell(group), backend_cell(cdev), 0);
	if (group->session.lost || cdev->session.lost)
		print_counts("events lost", group->session.lost, cdev->session.lost);
	putchar('\n');
}

static void print_difference(const char *question, const struct operation *group,
			     const struct operation *cdev, void *arg)
{
	(void)arg;
	printf("%s\n  group path: %s\n  cdev path:  %s\n", question, answers_of(group),
	       answers_of(cdev));
}

static void print_all(const struct compare *compare)
{
	print_table(compare);
	each_difference(compare, print_difference, NULL);
	if (compare->different)
		putchar('\n');
	puts(compare->verdict);
}

/* ---- JSON ---- */

static json_t *side_json(const struct side *side)
{
	const struct addresses *addresses = &side->addresses;

	return json_pack("{s:I, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:I}",
			 "took_ns", (json_int_t)side->took, "status",
			 session_exit_status(&side->session), "killed", side->session.killed,
			 "operations", (json_int_t)side->asked, "setup_ns",
			 (json_int_t)side_setup(side), "lookups", (json_int_t)side->lookup_count,
			 "lookup_median_ns", (json_int_t)side_lookup(side, 50),
			 "lookup_99th_percentile_ns", (json_int_t)side_lookup(side, 99), "given",
			 (json_int_t)addresses->given, "seen", (json_int_t)addresses->seen, "moved",
			 (json_int_t)addresses->moved, "pinned_bytes", (json_int_t)side->pinned,
			 "backend", side->backend, "lost", (json_int_t)side->session.lost);
}

static json_t *answers_json(const struct operation *operation)
{
	json_t *array = json_array();

	for (size_t i = 0; operation && i < operation->count; i++)
		json_array_append_new(array, json_string(operation->answers[i]));
	return array;
}

static void add_difference(const char *question, const struct operation *group,
			   const struct operation *cdev, void *arg)
{
	json_array_append_new(arg, json_pack("{s:s, s:o, s:o}", "operation", question, "group",
					     answers_json(group), "cdev", answers_json(cdev)));
}

static void print_json(const struct compare *compare)
{
	json_t *differences = json_array();
	json_t *object;

	each_difference(compare, add_difference, differences);
	object = json_pack("{s:b, s:s, s:I, s:o, s:o, s:o}", "same", is_same(compare), "verdict",
			   compare->verdict, "operations", (json_int_t)compare->asked,
			   "differences", differences, "group", side_json(&compare->group), "cdev",
			   side_json(&compare->cdev));
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(object);
}

/* ---- the two runs ---- */

static void run_side(struct side *side, const struct launch *launch, const char *mode,
		     const struct compare *compare)
{
	complain("%s on the %s path", launch->program[0], mode);
	side_run(side, launch, mode, compare->limit);
	if (side->session.aborted)
		give_up("ended by signal %d", side->session.aborted);
	if (side->session.damaged)
		give_up("cannot compare: %s has overwritten the memory that its events go through",
			launch->program[0]);
	if (side->session.killed)
		complain("%s did not end by SIGINT and was killed", launch->program[0]);
}

int compare_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[--] PROGRAM [ARG...]",
		.doc = "Runs PROGRAM twice, on the kernel's group path as it is and on the cdev "
		       "path, and compares what it was answered, what became of the addresses "
		       "that it was given, and how long it took. Devices are opened, and so "
		       "reset, by both runs. PROGRAM has no standard input, and its output goes "
		       "to standard error.\v"
		       "Exit status: 0: the same results, and no address moved on the cdev path; "
		       "1: otherwise; 2: bad usage, or it could not compare.",
	};
	static struct compare compare;
	struct launch launch;

	parse_options(&argp, argc, argv, &compare);
	if (launch_find(&launch, compare.program))
		return STATUS_TROUBLE;
	check_machine();
	complain("runs %s twice on the devices that it opens, which are reset each time",
		 launch.program[0]);
	run_side(&compare.group, &launch, "group", &compare);
	if (!compare.group.asked)
		give_up("%s asked nothing of VFIO and looked no address up", launch.program[0]);
	run_side(&compare.cdev, &launch, "cdev", &compare);
	compare.asked = each_difference(&compare, count_difference, &compare.different);
	compare.verdict = judge(&compare);
	if (compare.json)
		print_json(&compare);
	else
		print_all(&compare);
	if (fflush(stdout) || ferror(stdout))
		give_up("cannot write: %s", strerror(errno));
	return is_same(&compare) ? 0 : STATUS_NOT_READY;
}
