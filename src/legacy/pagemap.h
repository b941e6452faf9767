/* SPDX-License-Identifier: MIT */
/*
 * /proc/self/pagemap. The descriptor is the real one and so is every entry,
 * but for the frame number: that is of a page which was pinned before the
 * read returned. Needs the lock.
 */
#ifndef LEGACY_PAGEMAP_H
#define LEGACY_PAGEMAP_H

#include <stdint.h>

/*
 * Enters fd if it is the pagemap of this process. 0, also when it is not, or a
 * negative errno: then it must not be used, for what it says would not hold.
 */
int pagemap_opened(int fd);

/*
 * Pins what was looked up while there was no page table, now that there is
 * one. -EFAULT when a page moved before it could be pinned: an address that
 * the program holds is wrong, and no device may be told it.
 */
int pagemap_settle(void);

/*
 * [va, va + len) was given back, or went to to: what was looked up there while
 * there was no page table no longer matters, or is there now. Where the page is
 * still in its place another thread has looked it up meanwhile.
 */
void pagemap_forget(uint64_t va, uint64_t len);
void pagemap_moved(uint64_t from, uint64_t to, uint64_t len);

#endif
