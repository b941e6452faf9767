/* SPDX-License-Identifier: MIT */
/*
 * What the checkers for data races are told in a build for them.
 *
 * helgrind (--enable-helgrind) takes what it knows from pthread's functions: of a
 * lock that is made of a futex it knows nothing, an atomic store is to it a store
 * like any other, and after fork() it waits for threads that only the parent has.
 * TSan knows atomics, but does not look at them in the handlers of pthread_atfork().
 */
#ifndef BASE_CHECKER_H
#define BASE_CHECKER_H

#include <config.h>

#if defined(ENABLE_HELGRIND)
#include <valgrind/helgrind.h>
#define checker_acquired(lock)	    ANNOTATE_RWLOCK_ACQUIRED(lock, 1)
#define checker_released(lock)	    ANNOTATE_RWLOCK_RELEASED(lock, 1)
#define checker_atomic(memory, len) VALGRIND_HG_DISABLE_CHECKING(memory, len)
#define checker_forget(memory, len) VALGRIND_HG_CLEAN_MEMORY(memory, len)
#else
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *lock);
void __tsan_release(void *lock);
#define checker_acquired(lock) __tsan_acquire(lock)
#define checker_released(lock) __tsan_release(lock)
#else
#define checker_acquired(lock) ((void)0)
#define checker_released(lock) ((void)0)
#endif
#define checker_atomic(memory, len) ((void)0)
#define checker_forget(memory, len) ((void)0)
#endif

#endif
