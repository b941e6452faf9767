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
 * Pins the pages of the n entries that were read for va. answer_entries() is for
 * entries of which some can be what they have to be already. 0, or the negative
 * errno of the lookup. -EAGAIN: to be called again after idle_survey().
 */
int answer_pin(uint64_t va, const uint64_t *entries, size_t n);
int answer_entries(uint64_t va, const uint64_t *entries, size_t n);

/*
 * The frames of the n pages from va on, 0 where none is pinned. Without the lock it could
 * not be told: while pin_release() asks about a page its slot has no frame.
 */
void answer_frames(uint64_t va, uint64_t *frames, size_t n);

/*
 * Puts these frames into the entries that were read at pos of fd. Returns how many it had
 * to change. Needs no lock, and must not have it: a program can watch its memory.
 */
size_t answer_fill(int fd, uint64_t *entries, const uint64_t *frames, size_t n, off_t pos);

/*
 * Pins what was looked up while there was no page table, now that there is
 * one. -EFAULT when a page moved before it could be pinned: an address that
 * the program holds is wrong, and no device may be told it.
 */
int answer_settle(void);

#endif
