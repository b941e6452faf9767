/* SPDX-License-Identifier: MIT */
/*
 * What a call that is seen does to pinned memory. Only before it is made the
 * kernel can tell which page is at an address. Addresses and lengths in bytes,
 * of whole pages. Needs the lock.
 */
#ifndef PIN_FOLLOW_H
#define PIN_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pin/maps.h"

/*
 * Pages in the range are about to be given back. What is not the page that was
 * looked up there becomes a stray, and pin_release() with follow_stand() may take
 * the rest after the call.
 */
void follow_leaving(uint64_t va, uint64_t len);

/* The same of pages that change or move: pin_release() takes none of them. */
void follow_staying(uint64_t va, uint64_t len);

/*
 * As pin_stands, after the call: what it was not about to give back stands, even if
 * it is no longer there. Another thread can have got memory at this address, looked
 * it up, and moved it, all since the call.
 */
bool follow_stand(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n);

/*
 * The same for an unmapping, of which other mappings of shared pages know nothing:
 * their pins go there. Pages that over, which may be NULL, shows when it is mapped instead
 * stay pinned for where they will be.
 */
void follow_unmapping(uint64_t va, uint64_t len, const struct maps_file *over);

/*
 * The contents of private pages in the range, or in a part of it, were discarded.
 * After follow_staying().
 */
void follow_discarded(uint64_t va, uint64_t len);

/* [from, from + len) is at to now: so are its pins. After follow_staying(). */
void follow_moved(uint64_t from, uint64_t to, uint64_t len);

#endif
