/* SPDX-License-Identifier: MIT */
/*
 * What a lookup is answered: it pins what it is asked for. Needs the lock.
 */
#ifndef PIN_ANSWER_H
#define PIN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* True when entry names a page of which nothing is pinned yet, where it can be. */
bool answer_is_first(uint64_t va, uint64_t entry);

/*
 * Pins the pages of the n entries that were read at pos of fd, and puts their
 * frames into the entries, of which *changed differ then. answer_entries() is
 * for entries of which some can be what they have to be already. 0, or the
 * negative errno of the lookup. -EAGAIN: to be called again after idle_survey().
 */
int answer_pin(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed);
int answer_entries(int fd, uint64_t va, uint64_t *entries, size_t n, off_t pos, size_t *changed);

/*
 * Pins what was looked up while there was no page table, now that there is
 * one. -EFAULT when a page moved before it could be pinned: an address that
 * the program holds is wrong, and no device may be told it.
 */
int answer_settle(void);

#endif
