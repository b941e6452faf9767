/* SPDX-License-Identifier: MIT */
/*
 * The library's one lock.
 *
 * It is held on slow paths only. All signals are blocked meanwhile, so that a
 * handler which calls an intercepted function never finds its own thread
 * inside, and fork() copies the process in a consistent state.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdint.h>

struct lock_saved {
	uint64_t sigmask;
};

/* Not recursive. Async-signal-safe. */
struct lock_saved lock_enter(void);
void lock_leave(struct lock_saved saved);

/* In the child of a fork that was made without taking the lock. */
void lock_reset(void);

#endif
