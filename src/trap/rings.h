/* SPDX-License-Identifier: MIT */
/*
 * The program's use of io_uring. No filter sees what a ring reads: an address that it reads
 * from pagemap would not be pinned. A process can therefore have rings or pagemap. The one that
 * it asks for later is refused with EPERM, as kernel.io_uring_disabled and containers refuse
 * rings. The image creates the library's own rings, and no filter stops it.
 */
#ifndef TRAP_RINGS_H
#define TRAP_RINGS_H

#include <stdbool.h>

/* io_uring_setup(). Returns a descriptor or a negative errno. */
long rings_setup(const long a[6]);

/* The program got a pagemap. 0, or a negative errno: the caller has to close it. */
int rings_admit_pagemap(void);

/* True after rings_admit_pagemap() has returned 0. */
bool rings_have_pagemap(void);

#endif
