/* SPDX-License-Identifier: MIT */
/*
 * To renew pins: maps their memory a second time (backend/backend.h), compares its frames
 * with those in the store, and only then removes the first maps. The pages stay pinned
 * throughout. Needs the lock.
 */
#ifndef PIN_RENEW_H
#define PIN_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include "pin/store.h"

/*
 * [va, va + len) is what is left of a map, in small pages of one table. If the backend
 * keeps the former map pinned as a whole, gives the rest a map of its own, provided that
 * all its pages are at their address, or are still at from, where they are pinned, too. A
 * page that is not would be faulted in.
 */
void renew_rest(struct store *s, uint64_t va, uint64_t len, uint64_t from);

/*
 * Renews all pins with the backend that takes over: see backend_successor(). 0 or its
 * error, or a negative errno of the renewal, which is logged; all pins then stay with the
 * former backend.
 */
int renew_all(bool lend);

#endif
