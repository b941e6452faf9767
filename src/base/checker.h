/* SPDX-License-Identifier: MIT */
/*
 * Annotations for data race checkers. They expand to nothing in other builds.
 *
 * helgrind (--enable-helgrind) only knows pthread's functions. It does not know a lock
 * made of a futex, takes an atomic store for a plain one, and after fork() waits for
 * threads that exist only in the parent. TSan knows atomics, but ignores them in handlers
 * of pthread_atfork().
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
