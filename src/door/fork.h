/* SPDX-License-Identifier: MIT */
/*
 * What fork() means for the library. The child of a fork that ran its atfork
 * handlers, and that no other thread was too long inside the library for, has a
 * copy of all that its parent knew. Any other child, made by clone() or _Fork(),
 * finds out anew what its descriptors are, at the first call that depends on it.
 */
#ifndef DOOR_FORK_H
#define DOOR_FORK_H

/* Once, by the library's constructor. Needs the lock. */
void fork_init(void);

#endif
