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

/* Frames that are told at once. */
#define ANSWER_FRAMES 32

/*
 * n entries for va were read from fd, and not all of their pages are known to be pinned:
 * pins them. *served: they are to have the frames that are pinned, and frames has the first
 * of these, see answer_frames(). Otherwise the program gets the kernel's own entries, or
 * the negative errno. -EAGAIN: to be called again after idle_survey().
 */
int answer(int fd, uint64_t va, const uint64_t *entries, size_t n, uint64_t *frames, bool *served);

/*
 * Pins the pages of the n entries that were read for va, of which some can be what they
 * have to be already. As answer().
 */
int answer_entries(uint64_t va, const uint64_t *entries, size_t n);

/*
 * The frames of the n pages from va on, or of the first ANSWER_FRAMES; 0 where none is
 * pinned. Returns of how many. Without the lock it could not be told: while pin_release()
 * asks about a page its slot has no frame.
 */
size_t answer_frames(uint64_t va, uint64_t *frames, size_t n);

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
