/* SPDX-License-Identifier: MIT */
/*
 * fork() copies private pages that are pinned; the copies of huge pages come from their
 * pool. If the pool has no room for these copies, fork() fails, which it would not do
 * without the library. The library then "withholds" the memory: this child and all later
 * ones do not get the mappings with such pages. This is permanent, because recent kernels
 * refuse MADV_DOFORK for huge pages: madvise_vma_behavior() in mm/madvise.c. Needs the
 * lock.
 */
#ifndef PIN_WITHHOLD_H
#define PIN_WITHHOLD_H

#include <stdbool.h>

/* True when a fork() would withhold memory. */
bool withhold_is_due(void);
void withhold_before_fork(void);

#endif
