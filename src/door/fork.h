/* SPDX-License-Identifier: MIT */
/*
 * fork(). A child whose fork ran the atfork handlers has a complete copy of its parent's
 * state, unless the fork took so long that another thread took the lock
 * (lock_leave_to_fork()). Any other child, made by clone() or _Fork() or with a torn
 * copy, identifies its descriptors again, in its first call that takes the lock.
 */
#ifndef DOOR_FORK_H
#define DOOR_FORK_H

/* Called once by the library's constructor. Needs the lock. */
void fork_init(void);

#endif
