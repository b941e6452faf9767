/* SPDX-License-Identifier: MIT */
/*
 * Memory pinned by io_uring, for kernels without the series and for processes that
 * no device lends a page table. The operations are those of backend/backend.h.
 *
 * A map is a buffer, and each copy of it, or of a part, is one more user of that
 * buffer: all of it stays pinned while any is left. io_uring pins for writing: it
 * takes no memory that is read-only, and before Linux 6.5 none of a file on a disk, nor
 * of System V's.
 *
 * Needs the lock.
 */
#ifndef URING_URING_H
#define URING_URING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * 0, or a negative errno: see ring_open(). -EACCES: the process may not see frames in
 * its pagemap, which has to tell what was pinned.
 */
int uring_ready(void);
bool uring_is_ready(void);
bool uring_check(void);
unsigned int uring_generation(void);
int uring_claim(uint64_t page, uint64_t *window);
bool uring_release_gone(void);
int uring_map(uint64_t va, uint64_t len, uint64_t iova);
int uring_copy(uint64_t from, uint64_t len, uint64_t to);
int uring_copy_anywhere(uint64_t from, uint64_t len, uint64_t *to);
int uring_unmap(uint64_t iova, uint64_t len);
int uring_physical(uint64_t iova, uint64_t *len, uint64_t *pa);

/* As ring_in_child(), ring_close_inherited() and ring_abandon(). */
void uring_in_child(void);
void uring_close_inherited(void);
void uring_abandon(void);

#endif
