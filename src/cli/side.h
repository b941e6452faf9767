/* SPDX-License-Identifier: MIT */
/* The results of one run of a program, made here or recorded elsewhere. */
#ifndef CLI_SIDE_H
#define CLI_SIDE_H

#include <jansson.h>

#include "cli/addresses.h"
#include "cli/session.h"
#include "cli/way.h"

/* An operation and its answers. Equal answers that follow one another count once. */
struct operation {
	char *question;
	char **answers;
	size_t count;
};

struct named_fd {
	int32_t pid;
	int32_t fd;
	char *name;
};

struct side {
	struct session session; /* must be the first: session_run() hands it back */
	const struct way *way;
	bool recorded; /* it was read from a record, and session is empty */
	json_t *about; /* what ran where and when: strings, and arrays of strings */

	uint64_t told; /* seconds of the run that progress was shown for */
	uint64_t took; /* ns, by the whole run */
	int status;    /* as a shell shows it */
	bool killed;   /* because SIGINT did not end it */
	uint64_t lost; /* events */
	size_t asked;  /* operations and lookups */

	struct operation *operations; /* in the order in which they were first made */
	size_t operation_count;

	uint64_t *lookups; /* how long they took, in ns, sorted when the run is over */
	size_t lookup_count;
	size_t lookups_kept; /* the same, or fewer that stand for them, at equal distances */

	struct addresses addresses;
	uint64_t first; /* time of the first operation */
	uint64_t open;	/* time when a device was last opened; 0: none */
	uint64_t setup; /* ns from the first operation to the last device; 0: none was opened */

	int32_t *pids; /* of the processes that were seen */
	size_t pid_count;
	uint64_t pinned;     /* bytes, the most at a time */
	const char *backend; /* what pinned last; NULL: nothing was pinned */

	struct named_fd *names;
	size_t name_count;
};

/* Runs the program in the side's way for at most limit ns; 0: to its end. */
void side_run(struct side *side, const struct launch *launch, uint64_t limit);

/* Adds an operation. Its texts belong to the side from now on. */
void side_add_operation(struct side *side, const struct operation *operation);

/* The operation with this question, or NULL. */
const struct operation *side_find(const struct side *side, const char *question);

/* The percentile of the times of lookups, in ns. 0 if there was no lookup. */
uint64_t side_lookup(const struct side *side, unsigned int percent);

#endif
