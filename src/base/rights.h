/* SPDX-License-Identifier: MIT */
/* The capabilities of the calling thread. */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include <stdbool.h>

/* CAP_SYS_RAWIO, which the kernel requires for every use of no-IOMMU. */
bool rights_sys_rawio(void);

/* CAP_IPC_LOCK: pinned memory does not count against RLIMIT_MEMLOCK. */
bool rights_ipc_lock(void);

/* CAP_SYS_RAWIO is permitted, if not effective. */
bool rights_may_sys_rawio(void);

/*
 * Seccomp filters of this process that are the library's own, which keep it from nothing. Set
 * under the lock.
 */
extern unsigned long rights_own_filters;

/* True where others are in force, or may be. Needs the lock. */
bool rights_has_filter(void);

#endif
