/* SPDX-License-Identifier: MIT */
/*
 * Which memory of this process is pinned, and where it is.
 *
 * The IOVA of a pin is its virtual address plus the start of the process's window
 * (iommufd/window.h), which the process claims at its first pin from the backend. So the store
 * (pin/store.h) only has to keep the frames. When a child of fork() ends, what it pinned
 * stays pinned in its window until another process takes the window or calls
 * pin_release_gone().
 *
 * Addresses and lengths are in bytes. Functions return 0 or a negative errno and need the
 * lock.
 */
#ifndef PIN_PIN_H
#define PIN_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pin/store.h"

/*
 * Pins [va, va + len), which must hold no pins. Its pages are all present, and of
 * 1 << shift bytes. shared: they may have other mappings. -EFAULT: this memory cannot be
 * pinned; -ENOMEM: no memory, or RLIMIT_MEMLOCK. After an error backend->check() tells
 * whether the iommufd was lost, and all pins with it; the next call then uses a new one.
 */
int pin_add(uint64_t va, uint64_t len, unsigned int shift, bool shared);

/*
 * Pins small pages ahead (pin/ahead.h). Until store_ask() or store_asked() no lookup is
 * answered by them, and ahead_release() may unpin them.
 */
int pin_add_ahead(uint64_t va, uint64_t len, bool shared);

/*
 * Finds the frames of n present pages from va on, at most 512, and puts them into
 * entries, for a process that may not see them in pagemap. Pins the pages for a moment.
 */
int pin_probe(uint64_t va, uint64_t *entries, size_t n);

/*
 * Unpins what is pinned in the range. The part of a pin that is outside of it stays, and
 * so does a huge page that is only partly in it.
 *
 * A pin "stands" when stands() returns true for its pages in the range. It then stays,
 * because another thread can have mapped memory at the same address, and looked it up,
 * between the call that removed the memory and this one. stands() gets n pages of
 * 1 << shift bytes from va on, in the form of pagemap entries. No lookup is answered by
 * these pages meanwhile. stands NULL: nothing stands.
 */
typedef bool pin_stands(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n);
void pin_release(uint64_t va, uint64_t len, pin_stands *stands);

/*
 * Unpins what other processes pinned in the same iommufd, if they and all children that
 * they forked since are gone. True when there was anything.
 */
bool pin_release_gone(void);

/*
 * This process is about to end: unpins everything, if the kernel would only do so some
 * time after the end. Lookups pin again.
 */
void pin_end(void);

/*
 * Pins the pages that are pinned at [va, va + len) for address to, too. They stay pinned
 * throughout. Pins of other pages at to become strays.
 */
int pin_copy(uint64_t va, uint64_t len, uint64_t to);

/*
 * Makes the pins in the range strays, as their pages are no longer known to be there. A
 * huge page becomes a stray as a whole. After an error the remaining pins are unchanged.
 */
int pin_evict(uint64_t va, uint64_t len);

/* Unpins the strays at addresses below end. */
void pin_drop_strays(uint64_t end);

#endif
