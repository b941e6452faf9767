/* SPDX-License-Identifier: MIT */
/* The last values of a number of each process, as a line of small bars. */
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

/* Records the present value of a process. */
void history_add(struct history *history, pid_t pid, const char *comm, uint64_t value);

/* Forgets processes that were not added since this was called last. */
void history_forget(struct history *history);

/*
 * Returns a bar for each of the last values, at most columns of them. The greatest
 * value has a full bar and is stored in *greatest. blocks: use block characters,
 * which need UTF-8. The caller frees the text.
 */
char *history_bars(const struct history *history, pid_t pid, size_t columns, bool blocks,
		   uint64_t *greatest);

#endif
