/* SPDX-License-Identifier: MIT */
/*
 * What helgrind is told in a build for it (--enable-helgrind). It takes what it
 * knows from pthread's functions: of a lock that is made of a futex it knows
 * nothing, an atomic store is to it a store like any other, and after fork() it
 * waits for threads that only the parent has. TSan needs none of this.
 */
#ifndef BASE_HELGRIND_H
#define BASE_HELGRIND_H

#include <config.h>

#ifdef ENABLE_HELGRIND
#include <valgrind/helgrind.h>
#define helgrind_acquired(lock)	     ANNOTATE_RWLOCK_ACQUIRED(lock, 1)
#define helgrind_released(lock)	     ANNOTATE_RWLOCK_RELEASED(lock, 1)
#define helgrind_atomic(memory, len) VALGRIND_HG_DISABLE_CHECKING(memory, len)
#define helgrind_forget(memory, len) VALGRIND_HG_CLEAN_MEMORY(memory, len)
#else
#define helgrind_acquired(lock)	     ((void)0)
#define helgrind_released(lock)	     ((void)0)
#define helgrind_atomic(memory, len) ((void)0)
#define helgrind_forget(memory, len) ((void)0)
#endif

#endif
