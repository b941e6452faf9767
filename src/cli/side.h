/* SPDX-License-Identifier: MIT */
/* What one run of a program on one path came to. */
#ifndef CLI_SIDE_H
#define CLI_SIDE_H

#include "cli/addresses.h"
#include "cli/session.h"

/* Something that was asked, and what it was answered each time: the same twice counts once. */
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
	uint64_t took;		/* ns, by the whole run */
	size_t asked;		/* operations and lookups */

	struct operation *operations; /* in the order in which they were asked first */
	size_t operation_count;

	uint64_t *lookups; /* how long they took, in ns, sorted when the run is over */
	size_t lookup_count;

	struct addresses addresses;
	uint64_t first; /* when something was asked first */
	uint64_t open;	/* when a device was got last; 0: none */

	int32_t *pids; /* of the processes that were seen */
	size_t pid_count;
	uint64_t pinned;     /* bytes, the most that VmPin said */
	const char *backend; /* what pinned last; NULL: nothing was pinned */

	struct named_fd *names;
	size_t name_count;
};

/* Runs the program in this mode for at most limit ns; 0: to its end. */
void side_run(struct side *side, const struct launch *launch, const char *mode, uint64_t limit);

/* The operation with this question, or NULL. */
const struct operation *side_find(const struct side *side, const char *question);

/* From the first question to the last device, in ns; 0: no device was opened. */
uint64_t side_setup(const struct side *side);

/* How long a lookup took that was not faster than this many in a hundred. 0: there was none. */
uint64_t side_lookup(const struct side *side, unsigned int percent);

#endif
