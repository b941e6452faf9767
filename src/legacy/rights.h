/* SPDX-License-Identifier: MIT */
/* What the calling thread may do. */
#ifndef LEGACY_RIGHTS_H
#define LEGACY_RIGHTS_H

#include <stdbool.h>

/* CAP_SYS_RAWIO, which the kernel asks for wherever no-IOMMU is used. */
bool rights_sys_rawio(void);

#endif
