/* SPDX-License-Identifier: MIT */
/*
 * "Ahead": a page is pinned ahead when it is pinned before any lookup asks for it. A
 * driver that looks up one page after the other is likely to go on. As many pages are
 * pinned ahead as it has asked for in a row, up to a limit.
 *
 * A page pinned ahead becomes an ordinary pin when a lookup asks for it. Until then it is
 * unpinned when other memory needs the room. Needs the lock.
 */
#ifndef PIN_AHEAD_H
#define PIN_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A lookup of n pages from va on, which were not all pinned before, has pinned them. */
void ahead_follow(uint64_t va, size_t n);

/* Unpins all pages that are pinned ahead. True when there were any. */
bool ahead_release(void);

#endif
