/* SPDX-License-Identifier: MIT */
/*
 * daemon(3), or a fork() after which NOIOMMU_SHIM_FORK gives the memory to the child: the
 * child takes over the pins of its parent, so that addresses that the program looked up
 * before stay valid.
 */
#ifndef DOOR_DAEMON_H
#define DOOR_DAEMON_H

/* The calling thread is about to call daemon(), and has called it. Takes the lock. */
void daemon_begin(void);
void daemon_end(void);

/* For fork.c. Need the lock. */
void daemon_before_fork(void);
void daemon_in_child(void);

/* The same, without the lock. */
void daemon_in_parent(void);

#endif
