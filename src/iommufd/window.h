/* SPDX-License-Identifier: MIT */
/*
 * A window: the part of the IOAS's IOVAs that a process uses. Processes can share one
 * iommufd, by fork() or SCM_RIGHTS, and their virtual addresses are alike.
 *
 * A process takes the window of its number (iommufd/family.h), and claims it by a map at
 * its last page. Maps that are already there are left over from a former owner. A process
 * that cannot have a number takes a free window above those; the cost is that nobody
 * finds out when that process is gone. The last window is for ioas_identity().
 *
 * Needs the lock.
 */
#ifndef IOMMUFD_WINDOW_H
#define IOMMUFD_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* A window is as large as the store (pin/store.h). The kernel chooses IOVAs in window 0. */
#define WINDOW_SHIFT 49

/* Claims a window by mapping page, an address of this process. 0 or a negative errno. */
int window_claim(uint64_t page, uint64_t *window);

/*
 * Unpins what is left in the windows of processes that are gone, with all their children.
 * True when there was anything. Needs a claimed window.
 */
bool window_release_gone(void);

#endif
