/* SPDX-License-Identifier: MIT */
/*
 * Applies to the pins what an intercepted call does to memory. Some functions run before
 * the call, because only then can the kernel tell which page is at an address. Addresses
 * and lengths are in bytes, of whole pages. Needs the lock.
 */
#ifndef PIN_FOLLOW_H
#define PIN_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pin/maps.h"

/*
 * A call is about to unmap or discard the pages in the range. Pins of pages that are no
 * longer at their address become strays (pin/store.h). After the call pin_release() with
 * follow_stand() may unpin the rest.
 */
void follow_leaving(uint64_t va, uint64_t len);

/* The same for pages that the call changes or moves: pin_release() then unpins none of them. */
void follow_staying(uint64_t va, uint64_t len);

/*
 * As pin_stands, for use after the call. A page that the call was not about to remove
 * stands, even when it is no longer there: since the call, another thread can have mapped
 * memory at this address, looked it up, and moved it.
 */
bool follow_stand(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n);

/*
 * follow_leaving() for an unmapping, which does not affect other mappings of shared
 * pages: the pins of such pages move to one of these. over is the file that is mapped
 * instead, or NULL. Pages that it shows stay pinned, for the addresses that they will
 * have.
 */
void follow_unmapping(uint64_t va, uint64_t len, const struct maps_file *over);

/*
 * The contents of private pages in the range, or in a part of it, were discarded. Call
 * follow_staying() before.
 */
void follow_discarded(uint64_t va, uint64_t len);

/* [from, from + len) has moved to to: moves its pins. Call follow_staying() before. */
void follow_moved(uint64_t from, uint64_t to, uint64_t len);

#endif
