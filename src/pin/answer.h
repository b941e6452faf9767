/* SPDX-License-Identifier: MIT */
/* Answers a lookup: pins the pages that it asks for. Needs the lock. */
#ifndef PIN_ANSWER_H
#define PIN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The most frames that answer_frames() returns. */
#define ANSWER_FRAMES 32

/*
 * The n entries for va were read from fd, and not all of their pages are known to be
 * pinned. Pins these pages.
 *
 * *served is true when the program is to get the pinned frames. frames then has the first
 * of them, as from answer_frames(). Otherwise the program gets the kernel's own entries,
 * or the negative errno. -EAGAIN: call idle_survey(), then this again.
 */
int answer(int fd, uint64_t va, const uint64_t *entries, size_t n, uint64_t *frames, bool *served);

/*
 * Pins the pages of the n entries that were read for va, except those that are pinned
 * already. Returns as answer().
 */
int answer_entries(uint64_t va, const uint64_t *entries, size_t n);

/*
 * Sets frames[] to the frames of the n pages from va on, at most ANSWER_FRAMES; 0 where
 * no page is pinned. Returns how many it set. Without the lock the result would be wrong:
 * while pin_release() examines a page, its slot has no frame.
 */
size_t answer_frames(uint64_t va, uint64_t *frames, size_t n);

/*
 * Puts these frames into the entries that were read at pos of fd. Returns how many
 * entries it changed. Needs no lock. Must be called without it, because a fault on
 * entries can wait for another thread of the program (userfaultfd).
 */
size_t answer_fill(int fd, uint64_t *entries, const uint64_t *frames, size_t n, off_t pos);

/*
 * Pins what was looked up while there was no page table, now that there is one. -EFAULT
 * when a page moved before it could be pinned: the program holds a wrong address, and
 * must not pass it to a device.
 */
int answer_settle(void);

#endif
