/* SPDX-License-Identifier: MIT */
/*
 * io_uring. What a ring reads nobody sees: an address that it takes from pagemap would be
 * told and not pinned. So a process has rings or pagemap, and whichever it asks for later
 * is refused: with EPERM, as kernel.io_uring_disabled and containers refuse rings. The
 * library's own rings are made inside of the image, which no filter stops.
 */
#ifndef TRAP_RINGS_H
#define TRAP_RINGS_H

/* io_uring_setup(): a descriptor or a negative errno. */
long rings_setup(const long a[6]);

/* The program has got fd, a pagemap. 0 or a negative errno: then it is to be closed. */
int rings_admit_pagemap(void);

#endif
