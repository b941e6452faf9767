/* SPDX-License-Identifier: MIT */
/*
 * The reasons to look at calls that usually do not concern the library. All reasons share
 * one word, so that a call tests them with one load. Needs no lock.
 */
#ifndef BASE_ATTENTION_H
#define BASE_ATTENTION_H

#include <stdatomic.h>
#include <stdbool.h>

#define ATTENTION_TRACE	 1U /* a trace is written */
#define ATTENTION_INSIDE 2U /* the current directory may be a stand-in */

extern _Atomic(unsigned int) attention __attribute__((visibility("hidden")));

static inline unsigned int attention_get(void)
{
	return atomic_load_explicit(&attention, memory_order_relaxed);
}

static inline void attention_set(unsigned int reason, bool on)
{
	if (on)
		atomic_fetch_or(&attention, reason);
	else
		atomic_fetch_and(&attention, ~reason);
}

#endif
