/* SPDX-License-Identifier: MIT */
/*
 * What a call that is seen does to pinned memory. Only before it is made the
 * kernel can tell which page is at an address. Addresses and lengths in bytes,
 * of whole pages. Needs the lock.
 */
#ifndef PIN_FOLLOW_H
#define PIN_FOLLOW_H

#include <stdint.h>

/*
 * Pages in the range are about to be given back. What is not the page that was
 * looked up there becomes a stray, so that pin_release() may take the rest.
 */
void follow_leaving(uint64_t va, uint64_t len);

/*
 * The same for an unmapping, of which other mappings of shared pages know nothing:
 * their pins go there.
 */
void follow_unmapping(uint64_t va, uint64_t len);

/*
 * The contents of private pages in the range, or in a part of it, were discarded.
 * After follow_leaving().
 */
void follow_discarded(uint64_t va, uint64_t len);

/* [from, from + len) is at to now: so are its pins. After follow_leaving(). */
void follow_moved(uint64_t from, uint64_t to, uint64_t len);

#endif
