/* SPDX-License-Identifier: MIT */
/*
 * A process's part of the IOVAs. Several processes can share one iommufd, by fork()
 * or SCM_RIGHTS, and their addresses are alike. Each claims a window by a map at its
 * last page, that of its number: what is there is of a process that had it before.
 * Where a process cannot have a number it takes one of the others that is free, and
 * nobody finds out when it is gone. The last window is for ioas_identity().
 *
 * Needs the lock.
 */
#ifndef PIN_WINDOW_H
#define PIN_WINDOW_H

#include <stdbool.h>

#include "pin/store.h"

/* Strays end before the last of a window, where it is claimed and pages are probed. */
#define STRAYS_END (STORE_LIMIT - (UINT64_C(1) << PIN_PUD_SHIFT))
#define PROBED	   (STORE_LIMIT - (UINT64_C(2) << PIN_PMD_SHIFT))
#define CLAIM	   (STORE_LIMIT - PIN_PAGE_SIZE)

/* Claims one for the store. 0 or a negative errno. */
int window_claim(struct store *s);

/*
 * Unpins what processes had pinned in the same iommufd that are gone with all
 * that they had forked since. True when there was anything.
 */
bool window_release_gone(void);

#endif
