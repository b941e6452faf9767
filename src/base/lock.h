/* SPDX-License-Identifier: MIT */
/*
 * The library's only lock.
 *
 * Only slow paths take it. The holder has all signals blocked, so that a signal handler
 * which calls an intercepted function never deadlocks with its own thread.
 *
 * The lock is in memory that fork() wipes: in a child it is free, however the child was
 * made. When a holder is killed, as a child of vfork() can be, a waiter takes the lock.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <config.h>

#include <stdbool.h>
#include <stdint.h>

struct lock_saved {
	uint64_t sigmask;
};

/*
 * Not recursive. Async-signal-safe. Large buffers that are used under the lock are
 * static: a handler on an alternate stack has little stack left.
 */
struct lock_saved lock_enter(void);
void lock_leave(struct lock_saved saved);

/* A number that is different each time that the lock is taken, and never 0. Needs the lock. */
unsigned int lock_turn(void);

/*
 * Asserts that the calling thread holds the lock. In a build with --enable-debug the
 * process otherwise ends here, by SIGILL.
 */
#ifdef ENABLE_DEBUG
void lock_assert_held(void);
#else
static inline void lock_assert_held(void)
{
}
#endif

/*
 * Calls what() without the lock and with the thread's own signal mask: now, or when the
 * calling thread leaves the lock. Only one function can be pending, and another thread's
 * lock_leave() may be the one that calls it. Async-signal-safe.
 */
void lock_run_after(void (*what)(void));

/*
 * Called under the lock by the first thread that takes it in the child of a fork. torn:
 * the fork may have copied the protected state in the middle of a change.
 */
extern void (*lock_in_new_process)(bool torn) __attribute__((visibility("hidden")));

/*
 * Leaves the lock for a fork by this thread. Until lock_forked() in the parent, other
 * threads wait for the lock, so that the child gets a consistent copy of the protected
 * state. They wait for a limited time only: inside fork() other code waits for its own
 * locks, whose holders may wait for this one. A thread that has waited that long
 * proceeds, and the child's copy counts as torn.
 */
void lock_leave_to_fork(struct lock_saved saved);
void lock_forked(void);

/* In the child. */
void lock_begin_in_child(void);

#endif
