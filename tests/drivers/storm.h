/*
 * storm.h - moves all memory of a process back and forth between NUMA nodes
 *
 * The kernel may move memory at any time, for compaction, balancing, merging or memory
 * hotplug. Here this happens all the time, so that a driver that relies on the address
 * of memory that is not pinned fails in seconds.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Must be called first. Fails if there is only one node, as a test in which nothing
 * moves would prove nothing.
 */
int storm_prepare(void);

/*
 * Moves every page of the process once, each time to another node. Returns how many
 * pages it tried to move, or -1 if the process is gone.
 */
long storm_round(pid_t pid);

/*
 * A second process that moves the caller's memory. It must be forked before that memory
 * exists: a child shares its parent's pages, and copy on write would move them, too,
 * which is another test.
 */
struct storm {
	pid_t pid;
	int to_child;
	int from_child;
};

int storm_fork(struct storm *storm); /* calls storm_prepare() */

/* Starts the storm. Returns once everything has been moved. */
int storm_begin(struct storm *storm);
void storm_end(struct storm *storm);

#endif
