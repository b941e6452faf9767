/* SPDX-License-Identifier: MIT */
/*
 * Reads processes without waiting for them. A read of a process's memory can wait
 * for the process itself (userfaultfd, FUSE), a read of its maps for its lock, and
 * a look at its descriptors for a server that does not answer. Therefore a child of
 * the command reads, and the command kills the child if it takes too long.
 */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include <stddef.h>
#include <sys/types.h>

struct inspection {
	size_t size; /* of a result, in bytes */

	/* Runs in the child and fills in a zeroed result. Its return value goes to told(). */
	int (*look)(pid_t pid, void *result, const void *arg);

	/* Called for each process in turn. ret is -ETIMEDOUT if look() did not end in time. */
	void (*told)(pid_t pid, int ret, const void *result, void *arg);
	void *arg;
};

void inspect(const struct inspection *inspection, const pid_t *pids, size_t count);

#endif
