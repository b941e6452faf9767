/* SPDX-License-Identifier: MIT */
/* This process's own include/shim/state.h. Needs no lock. */
#ifndef BASE_STATE_H
#define BASE_STATE_H

#include "shim/state.h"

extern struct shim_state shim_state;
extern struct shim_counts *shim_counts __attribute__((visibility("hidden"))); /* never NULL */

/* Shows them. Once, by the library's constructor, when settings have been read. */
void state_show(void);

#define state_set(member, value)                                                                   \
	atomic_store_explicit(&shim_state.member, value, memory_order_relaxed)
#define state_add(member, n) atomic_fetch_add_explicit(&shim_state.member, n, memory_order_relaxed)
#define state_count(member, n)                                                                     \
	atomic_fetch_add_explicit(&shim_counts->member, n, memory_order_relaxed)

#endif
