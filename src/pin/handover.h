/* SPDX-License-Identifier: MIT */
/*
 * Pins go over to another process: the one that a daemon goes on in. fork()
 * copies a private page that is pinned, and gives the child the copy, whose
 * address nobody was told. So such pages are unpinned for the moment of the fork,
 * and pinned again when the parent is gone. Needs the lock.
 */
#ifndef PIN_HANDOVER_H
#define PIN_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

/* Before the fork: notes what is pinned, and unpins what fork() would copy. */
void handover_prepare(void);

/*
 * After a fork that failed: pins it again, and says so where a page is not the one that
 * was told.
 */
void handover_settle(void);

/*
 * In a parent that goes on, while its child waits: what both have is pinned here first, by
 * which the kernel gives the parent the copies; these do not stay pinned. *first is one of
 * them; false: there is none, so the fork failed.
 */
bool handover_part(uint64_t *first);

/*
 * As handover_settle(), in the child, when the parent has ended or parted: what the parent
 * had pinned is unpinned when it ends, or it would be for as long as the child lives.
 */
void handover_succeed(void);

#endif
