/* SPDX-License-Identifier: MIT */
#include "cli/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* No screen has room for more. */
#define MOST 512

struct past {
	pid_t pid;
	char comm[32];
	bool added;
	size_t count; /* of all values; the last MOST are kept */
	uint64_t values[MOST];
};

static struct past *find(const struct history *history, pid_t pid)
{
	for (size_t i = 0; i < history->count; i++)
		if (history->list[i].pid == pid)
			return &history->list[i];
	return NULL;
}

void history_add(struct history *history, pid_t pid, const char *comm, uint64_t value)
{
	struct past *past = find(history, pid);

	if (!past) {
		history->list = reallocarray(history->list, history->count + 1, sizeof(*past));
		if (!history->list)
			give_up("out of memory");
		past = &history->list[history->count++];
		*past = (struct past){.pid = pid};
	}
	/* The pid was reused, or the process executed another program. */
	if (strcmp(past->comm, comm)) {
		snprintf(past->comm, sizeof(past->comm), "%s", comm);
		past->count = 0;
	}
	past->values[past->count++ % MOST] = value;
	past->added = true;
}

void history_forget(struct history *history)
{
	size_t kept = 0;

	for (size_t i = 0; i < history->count; i++) {
		if (!history->list[i].added)
			continue;
		history->list[kept] = history->list[i];
		history->list[kept++].added = false;
	}
	history->count = kept;
}

static const char *bar(uint64_t value, uint64_t greatest, bool blocks)
{
	static const char *const bars[][8] = {
		{"_", ".", ":", "-", "=", "+", "*", "#"},
		{"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"},
	};
	double part = greatest ? (double)value / (double)greatest : 0;

	/* The lowest bar is for 0 only. */
	return bars[blocks][value ? 1 + (int)(part * 6) : 0];
}

char *history_bars(const struct history *history, pid_t pid, size_t columns, bool blocks,
		   uint64_t *greatest)
{
	const struct past *past = find(history, pid);
	size_t count = past ? past->count : 0, first, most = columns < MOST ? columns : MOST;
	char *bars = calloc(most + 1, 4), *to = bars;

	if (!bars)
		give_up("out of memory");
	*greatest = 0;
	first = count > most ? count - most : 0;
	for (size_t i = first; i < count; i++)
		if (past->values[i % MOST] > *greatest)
			*greatest = past->values[i % MOST];
	for (size_t i = first; i < count; i++)
		to = stpcpy(to, bar(past->values[i % MOST], *greatest, blocks));
	return bars;
}
