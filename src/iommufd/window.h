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
#ifndef IOMMUFD_WINDOW_H
#define IOMMUFD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* A window is as large as the store; the first is the kernel's to choose from. */
#define WINDOW_SHIFT 49

/* Claims one by a page of this process. 0 or a negative errno. */
int window_claim(uint64_t page, uint64_t *window);

/*
 * Unpins what processes had pinned in the same iommufd that are gone with all
 * that they had forked since. True when there was anything. Needs a claim.
 */
bool window_release_gone(void);

#endif
