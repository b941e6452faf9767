/* SPDX-License-Identifier: MIT */
/*
 * Buffers that are registered with io_uring. The kernel pins their pages as those of an
 * IOAS (io_sqe_buffer_register() in io_uring/rsrc.c). The rings transfer no data.
 *
 * The table of a ring has RING_SLOTS buffers, which can be changed one by one. Before
 * Linux 5.13 a table is registered as a whole; here it then has one buffer. Needs the
 * lock.
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

/* False when the program closed a ring by a raw system call. All buffers are then gone. */
bool ring_check(void);

/* Closes all rings. The kernel unpins their buffers some milliseconds later. */
void ring_close(void);

/* Removes all buffers, and returns when their pages are unpinned. Only ring_close() may follow. */
void ring_clear(void);

/*
 * Registers [va, va + len), at most 1 GiB. *place is the place of the buffer. 0 or a
 * negative errno.
 */
int ring_add(uint64_t va, uint64_t len, uint32_t *place);

/* Removes a buffer. From Linux 5.13 until 6.4 its pages may stay pinned for a second. */
void ring_remove(uint32_t place);

/* Returns when the pages of all removed buffers are unpinned. */
void ring_flush(void);

/*
 * This process is the child of the one that opened the rings, which pin the parent's
 * memory. ring_close_inherited() closes them.
 */
void ring_in_child(void);
void ring_close_inherited(void);

/* Forgets all rings without closing them, for they may be damaged. */
void ring_abandon(void);

#endif
