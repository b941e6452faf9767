/*
 * storm.h - moves all memory of a process to and fro between NUMA nodes
 *
 * What the kernel may do at any time, for compaction, balancing, merging or
 * memory hotplug, happens here all the time, so that a driver which relies on an
 * address of memory that is not pinned is found out in seconds.
 */
#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * To be called first. Fails where there is nowhere to move memory to: a test
 * that passes because nothing happened would be worth nothing.
 */
int storm_prepare(void);

/*
 * Moves every page of the process once, to the other node each time. Returns
 * how many pages it asked for, -1 if the process is gone.
 */
long storm_round(pid_t pid);

/*
 * A second process that storms the caller. It is forked before the memory to
 * be stormed exists, because a child shares its parent's pages: copy on write
 * would move them, too, which is another test.
 */
struct storm {
	pid_t pid;
	int to_child;
	int from_child;
};

int storm_fork(struct storm *storm); /* prepares, too */

/* Lets it begin; returns when everything has been moved once. */
int storm_begin(struct storm *storm);
void storm_end(struct storm *storm);

#endif
