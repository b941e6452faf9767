/* SPDX-License-Identifier: MIT */
/*
 * Which memory of this process is pinned, and where it is.
 *
 * The IOVA of a pin is its virtual address plus the process's own window in
 * the IOAS, which it claims at its first pin; nothing else has to be stored
 * but the frames: pin/store.h.
 * What a child of fork() had pinned stays in its window when it ends, until
 * another process takes the window or pin_release_gone() is called.
 *
 * Addresses and lengths are in bytes. Functions return 0 or a negative errno
 * and need the lock.
 */
#ifndef PIN_PIN_H
#define PIN_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pin/store.h"

/*
 * Pins [va, va + len), which must hold no pins: pages of 1 << shift bytes,
 * all present. shared: other mappings of them may exist. -EFAULT: this is no
 * memory that can be pinned; -ENOMEM: no memory, or RLIMIT_MEMLOCK. After an
 * error backend->check() tells whether the iommufd was lost, and with it all pins;
 * the next call then begins in another.
 */
int pin_add(uint64_t va, uint64_t len, unsigned int shift, bool shared);

/*
 * The same of small pages that nobody has asked for: until store_ask() or store_asked()
 * no lookup is answered by them, and ahead_release() may take them.
 */
int pin_add_ahead(uint64_t va, uint64_t len, bool shared);

/*
 * Tells the frames of n present pages from va on, at most 512, by pinning them
 * for a moment, and puts them into entries: for a process that may not see them
 * in pagemap.
 */
int pin_probe(uint64_t va, uint64_t *entries, size_t n);

/*
 * Unpins what is in the range. What a pin has outside of it stays pinned, and
 * so does a pin of which any page stands: between the call that gave the memory
 * away and this one another thread can have got memory at the same address, and
 * looked it up. stands() gets n pages of 1 << shift bytes from va on, pages[]
 * in the form of pagemap entries, when no lookup is answered by them any more.
 * Without it nothing stands.
 */
typedef bool pin_stands(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n);
void pin_release(uint64_t va, uint64_t len, pin_stands *stands);

/*
 * Unpins what processes had pinned in the same iommufd that are gone with all
 * that they had forked since. True when there was anything.
 */
bool pin_release_gone(void);

/*
 * Pins under to what is pinned at [va, va + len), without a moment unpinned.
 * What is pinned there of other pages becomes strays.
 */
int pin_copy(uint64_t va, uint64_t len, uint64_t to);

/*
 * Makes strays of what is pinned in the range: it is not known where these pages
 * are. A huge page goes whole. After an error the rest is where it was.
 */
int pin_evict(uint64_t va, uint64_t len);

/* Unpins the strays at addresses below end. */
void pin_drop_strays(uint64_t end);

#endif
