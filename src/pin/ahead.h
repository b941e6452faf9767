/* SPDX-License-Identifier: MIT */
/*
 * A driver that looks up page after page is ahead of its own pins: as many pages are
 * pinned for it as it asked for one after the other, up to a number. They count as
 * asked for when they are, and make room for others until then. Needs the lock.
 */
#ifndef PIN_AHEAD_H
#define PIN_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n pages from va on, of which not all were pinned, were looked up and are. */
void ahead_follow(uint64_t va, size_t n);

/* Unpins what was only pinned ahead. True when there was anything. */
bool ahead_release(void);

#endif
