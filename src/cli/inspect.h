/* SPDX-License-Identifier: MIT */
/*
 * Looking at processes without waiting for them. Reading the memory of a
 * process waits for whoever brings its pages, which may be the process itself
 * (userfaultfd, FUSE); reading its maps waits for its lock; and what its
 * descriptors lead to may be on a server that does not answer. So a child of
 * the command looks, and is killed when it takes too long.
 */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include <stddef.h>
#include <sys/types.h>

struct inspection {
	size_t size; /* of a result, in bytes */

	/* Runs in the child: fills in a zeroed result. Its value goes to told() as it is. */
	int (*look)(pid_t pid, void *result, const void *arg);

	/* For each process in its turn. ret is -ETIMEDOUT where look() did not come to an end. */
	void (*told)(pid_t pid, int ret, const void *result, void *arg);
	void *arg;
};

void inspect(const struct inspection *inspection, const pid_t *pids, size_t count);

#endif
