/* SPDX-License-Identifier: MIT */
/*
 * "Handover": the pins of a process go to its child, which goes on in its place, as in
 * daemon(). fork() copies a private page that is pinned, and gives the child the copy,
 * whose address the program does not know. So such pages are unpinned for the fork(), and
 * the child pins them again when the parent is gone. Needs the lock.
 */
#ifndef PIN_HANDOVER_H
#define PIN_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

/* Before the fork(): notes what is pinned, and unpins what fork() would copy. */
void handover_prepare(void);

/*
 * After a fork() that failed: pins the noted pages again. Logs an error when a page is
 * not the noted one.
 */
void handover_settle(void);

/*
 * In a parent that goes on, while its child waits. Pins the noted pages here first, so
 * that the kernel gives the copies to the parent, and unpins the private ones again.
 * *first is the address of one copy. False: no page was copied, so the fork() failed.
 */
bool handover_part(uint64_t *first);

/*
 * In the child, when the parent has ended or has its copies: pins the noted pages again,
 * as handover_settle(). Then has the parent's pins removed when the parent ends, as they
 * would otherwise last as long as the child.
 */
void handover_succeed(void);

#endif
