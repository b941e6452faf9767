/* SPDX-License-Identifier: MIT */
/* The structures of include/shim/state.h of this process. Needs no lock. */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include "shim/state.h"

extern struct shim_state shim_state;
extern struct shim_counts *shim_counts __attribute__((visibility("hidden"))); /* never NULL */

/* Publishes them. Called once by the library's constructor, after settings_read(). */
void state_show(void);

#define state_set(member, value)                                                                   \
	atomic_store_explicit(&shim_state.member, value, memory_order_relaxed)
#define state_add(member, n) atomic_fetch_add_explicit(&shim_state.member, n, memory_order_relaxed)
#define state_count(member, n)                                                                     \
	atomic_fetch_add_explicit(&shim_counts->member, n, memory_order_relaxed)

#endif
