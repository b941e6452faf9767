/* SPDX-License-Identifier: MIT */
/*
 * The library's one lock.
 *
 * It is held on slow paths only. All signals are blocked meanwhile, so that a
 * handler which calls an intercepted function never finds its own thread
 * inside.
 *
 * It lies in memory that fork() wipes: in a child, however that was made, it is
 * free. A holder that was killed, as a child of vfork() can be, loses it.
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
 * Not recursive. Async-signal-safe. What is large and needed under the lock only is static
 * rather than on the stack: a handler on an alternate stack has little of that.
 */
struct lock_saved lock_enter(void);
void lock_leave(struct lock_saved saved);

/*
 * In a build for it (--enable-debug) the process ends here, by SIGILL, when the
 * calling thread does not hold the lock. For functions that need it.
 */
#ifdef ENABLE_DEBUG
void lock_assert_held(void);
#else
static inline void lock_assert_held(void)
{
}
#endif

/*
 * Calls what() where the calling thread does not hold the lock and its signals
 * are its own: at once, or when it leaves the lock. There is one such errand at
 * a time, and another thread's lock_leave() may be faster. Async-signal-safe.
 */
void lock_run_after(void (*what)(void));

/*
 * Called under the lock, by whoever is first to have it in the child of a fork.
 * torn: what the lock protects may have been copied in the middle of a change.
 */
extern void (*lock_in_new_process)(bool torn) __attribute__((visibility("hidden")));

/*
 * Leaves the lock for a fork by this thread. Until lock_forked(), in the parent,
 * others wait for the lock, so that the child gets a whole copy of what it
 * protects; but never for long, because inside fork() other code waits for locks
 * of its own, whose holders may wait for this one: who has waited long enough
 * goes on, and the copy counts as torn.
 */
void lock_leave_to_fork(struct lock_saved saved);
void lock_forked(void);

/* In the child. */
void lock_begin_in_child(void);

#endif
