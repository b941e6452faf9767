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

/*
 * Calls what() where the calling thread does not hold the lock and its signals
 * are its own: at once, or when it leaves the lock. There is one such errand at
 * a time, and another thread's lock_leave() may be faster. Async-signal-safe.
 */
void lock_run_after(void (*what)(void));

/* In the child of a fork that was made without taking the lock. */
void lock_reset(void);

#endif
