/* SPDX-License-Identifier: MIT */
/* What the calling thread may do. */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include <stdbool.h>

/* CAP_SYS_RAWIO, which the kernel asks for wherever no-IOMMU is used. */
bool rights_sys_rawio(void);

/* CAP_IPC_LOCK: what is pinned does not count against RLIMIT_MEMLOCK. */
bool rights_ipc_lock(void);

/* It may be had, at least. */
bool rights_may_sys_rawio(void);

#endif
