/* SPDX-License-Identifier: MIT */
/*
 * Buffers registered with io_uring: their pages are pinned as those of an IOAS are
 * (io_sqe_buffer_register() in io_uring/rsrc.c). Nothing is ever read or written
 * through the rings.
 *
 * A ring's table has RING_SLOTS buffers, and each can be changed by itself; before
 * Linux 5.13 a table is registered as a whole, and has one. Needs the lock.
 */
#ifndef URING_RING_H
#define URING_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RINGS	   1024
#define RING_SLOTS 4096

/*
 * Makes sure that there is a ring. 0 or a negative errno. -ENOSYS: the kernel has no
 * io_uring; -EPERM: it is not allowed.
 */
int ring_open(void);

/* False, and all buffers are gone, when a ring was closed behind the library's back. */
bool ring_check(void);

/* Registers [va, va + len), at most 1 GiB, and tells where that is. 0 or a negative errno. */
int ring_add(uint64_t va, uint64_t len, uint32_t *place);

/* Takes it out of the table. Before Linux 6.4 its pages may stay pinned for a second. */
void ring_remove(uint32_t place);

/* What was taken out is unpinned when this returns. */
void ring_flush(void);

/*
 * This process is the child of the one that has the rings: they pin its parent's
 * memory. ring_close_inherited() lets go of that.
 */
void ring_in_child(void);
void ring_close_inherited(void);

/* All are forgotten, for they may be damaged. */
void ring_abandon(void);

#endif
