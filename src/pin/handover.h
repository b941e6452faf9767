/* SPDX-License-Identifier: MIT */
/*
 * Pins go over to another process: the one that daemon(3) goes on in. fork()
 * copies a private page that is pinned, and gives the child the copy, whose
 * address nobody was told. So such pages are unpinned for the moment of the fork,
 * and pinned again when the parent is gone. Needs the lock.
 */
#ifndef PIN_HANDOVER_H
#define PIN_HANDOVER_H

/* Before the fork: notes what is pinned, and unpins what fork() would copy. */
void handover_prepare(void);

/*
 * After a fork that failed: pins it again, and says so where a page is not the one that
 * was told.
 */
void handover_settle(void);

/*
 * The same in the child, when the parent has ended: what the parent had pinned is
 * unpinned, or it would be for as long as the child lives.
 */
void handover_succeed(void);

#endif
