/* SPDX-License-Identifier: MIT */
/* How a number of each process came to be what it is, as a line of small bars. */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct history {
	struct past *list;
	size_t count;
};

/* A process has this value now. */
void history_add(struct history *history, pid_t pid, const char *comm, uint64_t value);

/* Forgets processes that were not added since this was called last. */
void history_forget(struct history *history);

/*
 * The last values, no more than columns of them, and the greatest of these. A
 * full bar is the greatest. blocks: of characters that only UTF-8 has. The
 * caller's to free.
 */
char *history_bars(const struct history *history, pid_t pid, size_t columns, bool blocks,
		   uint64_t *greatest);

#endif
