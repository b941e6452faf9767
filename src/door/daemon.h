/* SPDX-License-Identifier: MIT */
/* daemon(3): the program goes on in a child, and all that it was told goes on to hold. */
#ifndef DOOR_DAEMON_H
#define DOOR_DAEMON_H

/* The calling thread calls daemon() next, and has called it. Takes the lock. */
void daemon_begin(void);
void daemon_end(void);

/* For fork.c. Needs the lock. */
void daemon_before_fork(void);
void daemon_in_child(void);

#endif
