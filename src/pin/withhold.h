/* SPDX-License-Identifier: MIT */
/*
 * fork() copies private pages that are pinned, huge ones from their pool. Where that has
 * no room for the copies fork() would fail, which without the library it does not: then
 * this child and all later ones go without the mappings that have such pages, for the
 * kernel lets nobody undo MADV_DONTFORK there: madvise_vma_behavior() in mm/madvise.c.
 * Needs the lock.
 */
#ifndef PIN_WITHHOLD_H
#define PIN_WITHHOLD_H

#include <stdbool.h>

/* True where a fork would withhold some. */
bool withhold_is_due(void);
void withhold_before_fork(void);

#endif
