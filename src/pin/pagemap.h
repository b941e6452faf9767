/* SPDX-License-Identifier: MIT */
/*
 * /proc/self/pagemap. The descriptor is the real one and so is every entry,
 * but for the frame number: that is of a page which was pinned before the
 * read returned. Needs the lock.
 */
#ifndef PIN_PAGEMAP_H
#define PIN_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fdtab.h"

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

/* A pagemap was opened on the cdev path. Needs no lock. */
extern _Atomic(bool) pagemap_served __attribute__((visibility("hidden")));

/* Addresses were told that no pin stands for: pagemap.c has the reasons. Needs no lock. */
extern _Atomic(bool) pagemap_tells_unpinned __attribute__((visibility("hidden")));

/* True when lookups through object, which may be NULL, are answered from here. */
bool pagemap_is_served(struct object *object);

/* True when entry names a page of which nothing is pinned yet, where it can be. */
bool pagemap_is_first(uint64_t va, uint64_t entry);

/*
 * Pins the pages of the n entries that were read at pos of fd, and puts their
 * frames into the entries, of which *changed differ then. pagemap_answer() is
 * for entries of which some can be what they have to be already. 0, or the
 * negative errno of the lookup.
 */
int pagemap_pin(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed);
int pagemap_answer(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed);

#endif
