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

#endif
