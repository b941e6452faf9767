/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/addresses.h"
#include "cli/cli.h"
#include "cli/decode.h"
#include "cli/launch.h"
#include "cli/session.h"

/*
 * The events of the calls under an operation come before the event of the operation,
 * and are held until then. Held events without an operation, for instance of a stale
 * pin, are printed by themselves.
 */
#define HELD 4096

#define LONGEST_LINE 65536

struct trace {
	struct session session;
	const char *mode;
	const char *file;
	bool json;
	char **program;
	FILE *to;
	struct trace_event held[HELD];
	size_t held_count;
	struct addresses addresses; /* those whose release is printed */
};

enum { OPTION_MODE = 256, OPTION_JSON };

static const struct argp_option options[] = {
	{"mode", OPTION_MODE, "MODE", 0,
	 "auto: the cdev path if it exists, else the group path (the default); cdev: the cdev "
	 "path, or refuse; group: the group path, and only observe",
	 0},
	{"json", OPTION_JSON, NULL, 0, "print JSON, one object a line", 0},
	{"output", 'o', "FILE", 0, "write to FILE instead of standard error", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct trace *trace = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case OPTION_MODE:
		trace->mode = launch_mode(arg, "trace");
		return 0;
	case OPTION_JSON:
		trace->json = true;
		return 0;
	case 'o':
		trace->file = arg;
		return 0;
	case ARGP_KEY_ARG:
		trace->program = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		give_up("a program is missing; see noiommu-shim trace --help");
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- lines ---- */

static double seconds(const struct trace *trace, const struct trace_event *event)
{
	return (double)(event->time - trace->session.begin) / 1e9;
}

/* Ends a line with the time that the call took. */
static void put_time(const struct trace *trace, const struct trace_event *event)
{
	if (event->took)
		fprintf(trace->to, " <%s>", duration(event->took));
	fputc('\n', trace->to);
}

static void print_nested(const struct trace *trace, const struct trace_event *event)
{
	char *call = decode_call(event), *result = decode_result(event);

	fprintf(trace->to, "%*s-> %s = %s", 20, "", call, result);
	put_time(trace, event);
	free(call);
	free(result);
}

static void print_line(const struct trace *trace, const struct trace_event *event)
{
	char *call = decode_call(event), *result = decode_result(event);
	char who[32];

	snprintf(who, sizeof(who), event->tid == event->pid ? "%d" : "%d/%d", event->pid,
		 event->tid);
	fprintf(trace->to, "%11.6f %-7s %s = %s", seconds(trace, event), who, call, result);
	put_time(trace, event);
	free(call);
	free(result);
}

/* ---- JSON ---- */

static json_t *whole_json(const struct trace *trace, const struct trace_event *event)
{
	json_t *object = json_pack("{s:f, s:i, s:i}", "time", seconds(trace, event), "pid",
				   event->pid, "tid", event->tid);
	json_t *rest = decode_json(event);

	json_object_update(object, rest);
	json_decref(rest);
	return object;
}

static void put_json(const struct trace *trace, json_t *object)
{
	json_dumpf(object, trace->to, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	fputc('\n', trace->to);
	json_decref(object);
}

/* ---- operations with their nested events ---- */

static void put_alone(const struct trace *trace, const struct trace_event *event)
{
	if (trace->json)
		put_json(trace, whole_json(trace, event));
	else
		print_nested(trace, event);
}

static bool is_of(const struct trace_event *nested, const struct trace_event *event)
{
	return nested->tid == event->tid && nested->pid == event->pid;
}

/* Takes the held events of the operation's thread. Prints those from before it alone. */
static size_t take_held(struct trace *trace, const struct trace_event *event,
			struct trace_event *taken)
{
	size_t kept = 0, count = 0;

	for (size_t i = 0; i < trace->held_count; i++) {
		const struct trace_event *held = &trace->held[i];

		if (!is_of(held, event))
			trace->held[kept++] = *held;
		else if (held->time < event->time)
			put_alone(trace, held);
		else
			taken[count++] = *held;
	}
	trace->held_count = kept;
	return count;
}

static void put_operation(struct trace *trace, const struct trace_event *event)
{
	static struct trace_event nested[HELD];
	size_t count = take_held(trace, event, nested);
	json_t *object, *array;

	if (!trace->json) {
		print_line(trace, event);
		for (size_t i = 0; i < count; i++)
			print_nested(trace, &nested[i]);
		return;
	}
	object = whole_json(trace, event);
	array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, decode_json(&nested[i]));
	json_object_set_new(object, "underneath", array);
	put_json(trace, object);
}

static void put_all_held(struct trace *trace)
{
	for (size_t i = 0; i < trace->held_count; i++)
		put_alone(trace, &trace->held[i]);
	trace->held_count = 0;
}

static void take(struct session *session, const struct trace_event *event)
{
	struct trace *trace = (struct trace *)session;

	size_t ended = addresses_take(&trace->addresses, event);

	/* On the group path the library does not know whether the memory was looked up. */
	if (event->kind == TRACE_RELEASE && !ended)
		return;
	if (!event->nested) {
		put_operation(trace, event);
		return;
	}
	if (trace->held_count == HELD)
		put_all_held(trace);
	trace->held[trace->held_count++] = *event;
}

/* The last line, which shows a reader that nothing is missing. */
static void put_end(const struct trace *trace)
{
	const struct session *session = &trace->session;
	int status = session_exit_status(session);

	if (trace->json)
		put_json(trace, json_pack("{s:s, s:f, s:I, s:b, s:i}", "call", "end", "time",
					  (double)(session_now() - session->begin) / 1e9, "lost",
					  (json_int_t)session->lost, "damaged", session->damaged,
					  "status", status));
	else if (session->lost)
		fprintf(trace->to, "%" PRIu64 " events were lost\n", session->lost);
	if (session->damaged)
		complain("a traced program has overwritten the memory of the events: the trace "
			 "ends before the program did");
}

int trace_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[--] PROGRAM [ARG...]",
		.doc = "Runs PROGRAM under the library and prints every VFIO operation and every "
		       "lookup of a physical address as PROGRAM saw it, with the calls that the "
		       "library made for it.\v"
		       "Exit status: that of PROGRAM, or 128 plus the number of the signal that "
		       "ended it; 2: bad usage, no library, or PROGRAM cannot be served; 126: "
		       "PROGRAM cannot be executed; 127: it is not found.",
	};
	static struct trace trace = {.session.event = take};
	struct launch launch = {.via = VIA_AUTO};
	int ret;

	trace.to = stderr;
	parse_options(&argp, argc, argv, &trace);
	ret = launch_find(&launch, trace.program);
	if (ret)
		return ret;
	if (trace.file && !(trace.to = fopen(trace.file, "we")))
		give_up("cannot write to %s: %s", trace.file, strerror(errno));
	/* Writes whole lines, as the program may write to the same file. */
	setvbuf(trace.to, NULL, _IOLBF, LONGEST_LINE);
	trace.session.launch = &launch;
	trace.session.mode = trace.mode;
	session_run(&trace.session);
	put_all_held(&trace);
	put_end(&trace);
	if (fflush(trace.to) || ferror(trace.to))
		complain("cannot write the trace: %s", strerror(errno));
	return session_exit_status(&trace.session);
}
