/* SPDX-License-Identifier: MIT */
#include "cli/side.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/decode.h"
#include "cli/plain.h"
#include "cli/process.h"
#include "cli/progress.h"
#include "uapi/vfio.h"

#define LOOK_EACH UINT64_C(50000000)

/* Makes room for one element more than count. */
static void *grow(void *array, size_t count, size_t size)
{
	/* The array is full if count is 0 or a power of two. */
	if (!(count & (count - 1)))
		array = reallocarray(array, count ? 2 * count : 1, size);
	if (!array)
		give_up("out of memory");
	return array;
}

/* ---- what descriptors refer to ---- */

static const char *name_of(const struct side *side, const struct trace_event *event)
{
	const char *name = NULL;

	/* If this process has no name for the number, the last process that has one. */
	for (size_t i = 0; i < side->name_count; i++) {
		if (side->names[i].fd != event->fd)
			continue;
		name = side->names[i].name;
		if (side->names[i].pid == event->pid)
			break;
	}
	return name;
}

static void set_name(struct side *side, const struct trace_event *event, const char *name)
{
	struct named_fd *at = side->names;
	struct named_fd *end = at + side->name_count;

	while (at < end && (at->pid != event->pid || at->fd != event->result))
		at++;
	if (at == end) {
		side->names = grow(side->names, side->name_count, sizeof(*at));
		at = &side->names[side->name_count++];
		*at = (struct named_fd){.pid = event->pid, .fd = (int32_t)event->result};
	}
	free(at->name);
	at->name = plain(name, strcspn(name, " "));
}

static void note_name(struct side *side, const struct trace_event *event)
{
	const char *string = (const char *)event->data;
	const char *slash;

	if (event->result < 0 || !event->length || event->data[event->length - 1])
		return;
	if (event->kind == TRACE_IOCTL && event->args[0] == VFIO_GROUP_GET_DEVICE_FD) {
		set_name(side, event, string);
		side->open = event->time + event->took;
	} else if (event->kind == TRACE_OPEN) {
		slash = strrchr(string, '/');
		set_name(side, event, slash ? slash + 1 : string);
	}
}

/* ---- operations ---- */

static struct operation *find(const struct side *side, const char *question)
{
	for (size_t i = 0; i < side->operation_count; i++)
		if (!strcmp(side->operations[i].question, question))
			return &side->operations[i];
	return NULL;
}

const struct operation *side_find(const struct side *side, const char *question)
{
	return find(side, question);
}

void side_add_operation(struct side *side, const struct operation *operation)
{
	side->operations = grow(side->operations, side->operation_count, sizeof(*operation));
	side->operations[side->operation_count++] = *operation;
}

/* Takes ownership of both strings. */
static void add(struct side *side, char *question, char *answer)
{
	struct operation *operation = find(side, question);

	if (operation) {
		free(question);
	} else {
		side_add_operation(side, &(struct operation){.question = question});
		operation = &side->operations[side->operation_count - 1];
	}
	if (operation->count && !strcmp(operation->answers[operation->count - 1], answer)) {
		free(answer);
		return;
	}
	operation->answers = grow(operation->answers, operation->count, sizeof(char *));
	operation->answers[operation->count++] = answer;
}

/* The question with the name of the object: each of two devices has its own questions. */
static char *whole_question(const struct side *side, const struct trace_event *event)
{
	char *question = decode_question(event), *whole;
	const char *name = event->fd >= 0 ? name_of(side, event) : NULL;

	if (!question || !name)
		return question;
	whole = text("%s: %s", name, question);
	free(question);
	return whole;
}

static void count(struct side *side, const struct trace_event *event)
{
	if (!side->asked++)
		side->first = event->time;
	if (event->kind != TRACE_LOOKUP)
		return;
	side->lookups = grow(side->lookups, side->lookup_count, sizeof(*side->lookups));
	side->lookups[side->lookup_count++] = event->took;
}

static void note_pid(struct side *side, int32_t pid)
{
	for (size_t i = 0; i < side->pid_count; i++)
		if (side->pids[i] == pid)
			return;
	side->pids = grow(side->pids, side->pid_count, sizeof(*side->pids));
	side->pids[side->pid_count++] = pid;
}

static void take(struct session *session, const struct trace_event *event)
{
	struct side *side = (struct side *)session;
	char *question = whole_question(side, event);

	note_pid(side, event->pid);
	addresses_take(&side->addresses, event);
	if (event->kind == TRACE_RENEW || (event->kind == TRACE_PIN && !event->result))
		side->backend = decode_backend(event->args[3]);
	if (!question)
		return;
	/* A lookup that needs several events counts once. */
	if (event->kind != TRACE_LOOKUP || !event->args[3])
		count(side, event);
	add(side, question, decode_answer(event));
	note_name(side, event);
}

/* ---- what is seen from outside ---- */

/* Bytes that the kernel counts as pinned for a process. 0 if it has ended. */
static uint64_t vm_pin(int32_t pid)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %" SCNu64, &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024;
}

/* What io_uring pins the kernel need not count: see man/noiommu-shim.1. */
static uint64_t pinned_by(const struct side *side, int32_t pid)
{
	struct process process;

	if (!side->backend || strcmp(side->backend, decode_backend(STATE_BACKEND_URING)) != 0)
		return vm_pin(pid);
	return process_read(pid, &process) == 1 ? process_pinned(&process) : 0;
}

/* Shows once a second how far the run is. */
static void tell(struct side *side)
{
	const struct session *session = &side->session;
	uint64_t seconds = (session_now() - session->begin) / 1000000000;
	char limit[32] = "";

	if (seconds == side->told)
		return;
	side->told = seconds;
	if (session->limit)
		snprintf(limit, sizeof(limit), " of %" PRIu64, session->limit / 1000000000);
	progress("%s: %s, %" PRIu64 "%s s, %zu operations and lookups", session->launch->program[0],
		 side->way->title, seconds, limit, side->asked);
}

static void look(struct session *session)
{
	struct side *side = (struct side *)session;
	uint64_t pinned = 0;

	session_catch_up(session);
	addresses_look(&side->addresses, session_now());
	for (size_t i = 0; i < side->pid_count; i++)
		pinned += pinned_by(side, side->pids[i]);
	if (pinned > side->pinned)
		side->pinned = pinned;
	tell(side);
}

/* ---- the run ---- */

static int compare_times(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

void side_run(struct side *side, const struct launch *launch, uint64_t limit)
{
	side->session = (struct session){
		.launch = launch,
		.mode = side->way->mode,
		.backend = side->way->backend,
		.alone = true,
		.limit = limit,
		.look_each = LOOK_EACH,
		.event = take,
		.look = look,
	};
	session_run(&side->session);
	progress_end();
	side->took = session_now() - side->session.begin;
	side->status = session_exit_status(&side->session);
	side->killed = side->session.killed;
	side->lost = side->session.lost;
	side->setup = side->open > side->first ? side->open - side->first : 0;
	if (side->lookup_count)
		qsort(side->lookups, side->lookup_count, sizeof(*side->lookups), compare_times);
	side->lookups_kept = side->lookup_count;
	addresses_free(&side->addresses);
	tracks_finish(&side->addresses.tracks, side->session.begin, side->took);
}

uint64_t side_lookup(const struct side *side, unsigned int percent)
{
	size_t rank = (side->lookups_kept * percent + 99) / 100;

	return rank ? side->lookups[rank - 1] : 0;
}
