/* SPDX-License-Identifier: MIT */
/* Shows the processes that are served now, and what they hold. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/decode.h"
#include "cli/devices.h"
#include "cli/history.h"
#include "cli/inspect.h"
#include "cli/process.h"
#include "cli/screen.h"

struct ps {
	bool json;
	bool watch;
	pid_t pid; /* 0: all */
	struct process *list;
	size_t count;
	bool all_seen;
	bool watched;
	FILE *notes; /* for the lines below the table on a screen */
	struct history pins;
};

static const char *const modes[] = {
	[STATE_MODE_AUTO] = "auto",
	[STATE_MODE_CDEV] = "cdev",
	[STATE_MODE_GROUP] = "group",
};

static const char *const paths[] = {
	[STATE_PATH_NONE] = "none",
	[STATE_PATH_CDEV] = "cdev",
	[STATE_PATH_GROUP] = "group",
	[STATE_PATH_REFUSED] = "refused",
};

/* The process may have a newer library with more values. */
#define NAME_OF(names, value)                                                                      \
	((value) < sizeof(names) / sizeof((names)[0]) ? (names)[value] : "unknown")

/* ---- reading processes ---- */

static int look(pid_t pid, void *process, const void *arg)
{
	(void)arg;
	return process_read(pid, process);
}

/* Prints a line below the table while watching, otherwise on standard error. */
__attribute__((format(printf, 2, 3))) static void note(const struct ps *ps, const char *format, ...)
{
	va_list args;
	char *words;

	va_start(args, format);
	if (vasprintf(&words, format, args) < 0)
		give_up("out of memory");
	va_end(args);
	if (ps->watched)
		fprintf(ps->notes, "%s\n", words);
	else
		complain("%s", words);
	free(words);
}

static void add(struct ps *ps, const struct process *process)
{
	ps->list = reallocarray(ps->list, ps->count + 1, sizeof(*ps->list));
	if (!ps->list)
		give_up("out of memory");
	ps->list[ps->count++] = *process;
}

static void told_of_all(pid_t pid, int ret, const void *process, void *arg)
{
	struct ps *ps = arg;

	if (ret > 0)
		add(ps, process);
	else if (ret == -EPROTO)
		note(ps, "process %d has another version of the library", pid);
	else if (ret == -ETIMEDOUT)
		note(ps, "process %d could not be read in time", pid);
	if (ret == -EACCES || ret == -EPERM || ret == -ETIMEDOUT)
		ps->all_seen = false;
}

/* Takes the one process that was asked for, or ends the command. Not while watching. */
static void told_of_one(pid_t pid, int ret, const void *process, void *arg)
{
	switch (ret) {
	case 0:
		return;
	case 1:
		add(arg, process);
		return;
	case -ESRCH:
		give_up("there is no process %d", pid);
	case -EPROTO:
		give_up("process %d has another version of the library", pid);
	case -EACCES:
	case -EPERM:
		give_up("process %d may not be looked at: run this as root, or as its user where "
			"ptrace is not restricted",
			pid);
	case -ETIMEDOUT:
		give_up("process %d could not be read in time", pid);
	default:
		give_up("process %d ended, or executed another program meanwhile", pid);
	}
}

static void look_at_processes(struct ps *ps)
{
	bool one = ps->pid && !ps->watched;
	struct inspection inspection = {
		.size = sizeof(struct process),
		.look = look,
		.told = one ? told_of_one : told_of_all,
		.arg = ps,
	};
	size_t count = 1;
	pid_t *pids = ps->pid ? &ps->pid : process_list(&count);

	if (!pids)
		give_up("cannot read /proc: %s", strerror(errno));
	ps->count = 0;
	ps->all_seen = true;
	inspect(&inspection, pids, count);
	if (!ps->pid)
		free(pids);
}

static bool holds(const struct device *device, pid_t pid)
{
	for (size_t i = 0; i < device->holder_count; i++)
		if (device->holders[i].pid == pid)
			return true;
	return false;
}

/* "4 KiB", "2 MiB" and "1 GiB", if base pages have 4 KiB. */
static char *page_name(int size)
{
	unsigned int shift = process_page_shift(size);

	return text("%d %s", 1 << shift % 10, shift < 20 ? "KiB" : shift < 30 ? "MiB" : "GiB");
}

/* ---- the table ---- */

/* In the largest unit that leaves at least two digits. */
static char *human(uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	bytes >>= 10;
	while (bytes >= 10240 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes >>= 10;
		unit++;
	}
	return text("%" PRIu64 " %s", bytes, units[unit]);
}

/* Prints the last numbers of pins as bars. */
static void print_past(FILE *to, const struct ps *ps, const struct process *process)
{
	size_t columns = screen_columns() > 60 ? screen_columns() - 40 : 20;
	uint64_t greatest;
	char *bars = history_bars(&ps->pins, process->pid, columns, screen_has_blocks(), &greatest);

	fprintf(to, "%8spins %s up to %" PRIu64 "\n", "", bars, greatest);
	free(bars);
}

static void print_process(FILE *to, const struct ps *ps, const struct process *process,
			  const struct devices *devices)
{
	const struct shim_counts *counts = &process->counts;
	char *pinned = human(process_pinned(process));

	fprintf(to,
		"%7d %-15s %-5s %-7s %5" PRIu32 " %10" PRIu64 " %6" PRIu64 " %6" PRIu64 " %9s\n",
		process->pid, process->comm, NAME_OF(modes, process->state.mode),
		NAME_OF(paths, process->state.path), process->state.containers, counts->lookups,
		counts->failures, counts->pins, pinned);
	free(pinned);
	if (ps->watched)
		print_past(to, ps, process);
	if (process->state.backend != STATE_BACKEND_IOMMUFD)
		fprintf(to, "%8spinned by %s\n", "", decode_backend(process->state.backend));
	for (int i = 0; i < STATE_PAGE_SIZES; i++) {
		char *name = page_name(i);

		if (counts->pages[i])
			fprintf(to, "%8s%" PRIu64 " page%s of %s\n", "", counts->pages[i],
				counts->pages[i] == 1 ? "" : "s", name);
		free(name);
	}
	for (size_t i = 0; i < devices->count; i++)
		if (holds(&devices->list[i], process->pid))
			fprintf(to, "%8sdevice %s\n", "", devices->list[i].address);
}

static void print_table(FILE *to, const struct ps *ps, const struct devices *devices)
{
	if (ps->count)
		fprintf(to, "%7s %-15s %-5s %-7s %5s %10s %6s %6s %9s\n", "PID", "COMMAND", "MODE",
			"PATH", "CONT.", "LOOKUPS", "FAILED", "PINS", "PINNED");
	for (size_t i = 0; i < ps->count; i++)
		print_process(to, ps, &ps->list[i], devices);
}

/* ---- JSON ---- */

static json_t *process_json(const struct process *process, const struct devices *devices)
{
	const struct shim_counts *counts = &process->counts;
	json_t *addresses = json_array();
	json_t *pages = json_object();

	for (size_t i = 0; i < devices->count; i++)
		if (holds(&devices->list[i], process->pid))
			json_array_append_new(addresses, json_string(devices->list[i].address));
	for (int i = 0; i < STATE_PAGE_SIZES; i++) {
		char *name = page_name(i);

		json_object_set_new(pages, name, json_integer((json_int_t)counts->pages[i]));
		free(name);
	}
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:o, s:I, s:I, s:{s:I, s:I, s:o}}", "pid",
			 process->pid, "comm", process->comm, "mode",
			 NAME_OF(modes, process->state.mode), "path",
			 NAME_OF(paths, process->state.path), "backend",
			 decode_backend(process->state.backend), "containers",
			 (int)process->state.containers, "devices", addresses, "lookups",
			 (json_int_t)counts->lookups, "failures", (json_int_t)counts->failures,
			 "pins", "count", (json_int_t)counts->pins, "bytes",
			 (json_int_t)process_pinned(process), "pages", pages);
}

static void print_json(const struct ps *ps, const struct devices *devices)
{
	json_t *array = json_array();
	json_t *all;

	for (size_t i = 0; i < ps->count; i++)
		json_array_append_new(array, process_json(&ps->list[i], devices));
	all = json_pack("{s:o}", "processes", array);
	if (!all || json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII))
		give_up("cannot write JSON");
	putchar('\n');
	json_decref(all);
}

/* ---- the verb ---- */

enum { OPTION_JSON = 256, OPTION_WATCH };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, NULL, 0, "print JSON", 0},
	{"watch", OPTION_WATCH, NULL, 0,
	 "renew the table each second, until q or Ctrl-C; if the output is not a terminal, print "
	 "it once",
	 0},
	{0},
};

static pid_t parse_pid(const char *arg)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(arg, &end, 10);
	if (errno || *end || end == arg || pid <= 0 || pid > INT32_MAX)
		give_up("'%s' is not the number of a process", arg);
	return (pid_t)pid;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ps *ps = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case OPTION_JSON:
		ps->json = true;
		return 0;
	case OPTION_WATCH:
		ps->watch = true;
		return 0;
	case ARGP_KEY_ARG:
		if (ps->pid)
			give_up("more than one PID; see noiommu-shim ps --help");
		ps->pid = parse_pid(arg);
		return 0;
	case ARGP_KEY_END:
		if (ps->json && ps->watch)
			give_up("--json and --watch exclude each other; see noiommu-shim ps --help");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void say_none(const struct ps *ps)
{
	if (ps->pid)
		note(ps, "process %d is not under noiommu-shim", ps->pid);
	else
		note(ps, "no process is under noiommu-shim%s",
		     ps->all_seen ? "" : ", as far as can be seen");
}

/* ---- watching ---- */

static void remember(struct ps *ps)
{
	for (size_t i = 0; i < ps->count; i++)
		history_add(&ps->pins, ps->list[i].pid, ps->list[i].comm, ps->list[i].counts.pins);
	history_forget(&ps->pins);
}

/* Notes on processes that cannot be read come below the table. */
static void show(struct ps *ps)
{
	char *page, *notes;
	size_t size;
	struct devices devices;
	FILE *to;

	ps->notes = open_memstream(&notes, &size);
	if (!ps->notes)
		give_up("out of memory");
	look_at_processes(ps);
	if (!ps->count)
		say_none(ps);
	if (fclose(ps->notes) || !(to = open_memstream(&page, &size)))
		give_up("out of memory");
	devices_read(&devices);
	remember(ps);
	print_table(to, ps, &devices);
	fprintf(to, "%s\nq: end\n", notes);
	if (fclose(to))
		give_up("out of memory");
	screen_show(page);
	devices_free(&devices);
	free(page);
	free(notes);
}

static void watch(struct ps *ps)
{
	screen_begin();
	ps->watched = true;
	do {
		show(ps);
		/* The children that read processes: see cli/inspect.h. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	} while (screen_wait(1000));
	ps->watched = false;
	screen_end();
}

/* ---- once ---- */

static void print(const struct ps *ps)
{
	struct devices devices;

	devices_read(&devices);
	if (ps->json)
		print_json(ps, &devices);
	else
		print_table(stdout, ps, &devices);
	devices_free(&devices);
}

int ps_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[PID]",
		.doc = "Shows the processes that are served now, or only process PID: mode, path, "
		       "containers, lookups, failed lookups, pins and devices.\v"
		       "The command needs the rights of ptrace: the process's user, or root.\n\n"
		       "Exit status: 0: a process is served; 1: none is; 2: bad usage, or the "
		       "command could not look.",
	};
	struct ps ps = {0};

	parse_options(&argp, argc, argv, &ps);
	look_at_processes(&ps);
	if (ps.watch && screen_there())
		watch(&ps);
	else
		print(&ps);
	if (fflush(stdout) || ferror(stdout))
		give_up("cannot write: %s", strerror(errno));
	if (!ps.count)
		say_none(&ps);
	return ps.count ? 0 : STATUS_NONE;
}
