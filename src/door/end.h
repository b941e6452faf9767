/* SPDX-License-Identifier: MIT */
/*
 * The end of processes. Where a process natively has its memory back, or its parent has
 * learned that it is, the pins have ended, too.
 *
 * The functions take the lock and are async-signal-safe. They leave errno alone.
 */
#ifndef DOOR_END_H
#define DOOR_END_H

/*
 * This process is about to end. What it has pinned is unpinned now, if the kernel would
 * only do so some time after the end.
 */
void end_process(void);

/* This process has waited for a child, which may have had pins of its own. */
void end_child(void);

#endif
