/* SPDX-License-Identifier: MIT */
/*
 * Questions about this process's mappings: PROCMAP_QUERY of /proc/self/maps, or before
 * Linux 6.11 the text of that file. The text is read once while the lock is held.
 * Needs the lock.
 */
#ifndef PIN_MAPPING_H
#define PIN_MAPPING_H

#include <stdint.h>

#include "uapi/procmap.h"

/*
 * Fills in *vma as do_procmap_query() in fs/proc/task_mmu.c does, without names. flags
 * are PROCMAP_QUERY_COVERING_OR_NEXT_VMA, _FILE_BACKED_VMA and _VMA_SHARED. -ENOENT:
 * there is no such mapping. Other errors: it is unknown whether there is one.
 *
 * From the text, the size of huge pages can only be told with CAP_SYS_ADMIN or
 * CAP_CHECKPOINT_RESTORE. Without, it is that of base pages, as that of all others.
 */
int mapping_ask(uint64_t va, uint64_t flags, struct procmap_query *vma);

/* The next question reads the text again: mappings may have changed since. */
void mapping_forget(void);

#endif
