/* SPDX-License-Identifier: MIT */
/*
 * Pins memory by io_uring, for kernels without no-IOMMU cdevs and for processes that no
 * device lends a page table. The operations are those of backend/backend.h.
 *
 * A map is a buffer. Each copy of the map, or of a part of it, is another user of the
 * buffer. All of the buffer stays pinned while it has any user. io_uring pins for
 * writing: it refuses read-only memory, and before Linux 6.5 memory of files on a disk
 * and of System V segments.
 *
 * Needs the lock.
 */
#ifndef URING_URING_H
#define URING_URING_H

#include <stdbool.h>
#include <stdint.h>

/*
 * 0 or a negative errno: see ring_open(). -EACCES: the process may not see frames in its
 * pagemap, which is needed to find out what was pinned.
 */
int uring_ready(void);
bool uring_is_ready(void);
bool uring_check(void);
unsigned int uring_generation(void);
int uring_claim(uint64_t page, uint64_t *window);
bool uring_release_gone(void);
void uring_seen(uint64_t va, uint64_t size, uint64_t entry);
int uring_map(uint64_t va, uint64_t len, uint64_t iova);
int uring_copy(uint64_t from, uint64_t len, uint64_t to);
int uring_copy_anywhere(uint64_t from, uint64_t len, uint64_t *to);
int uring_unmap(uint64_t iova, uint64_t len);
int uring_physical(uint64_t iova, uint64_t *len, uint64_t *pa);

/*
 * keep: uring_map() refuses pages that are not soft-dirty with -EFAULT, as pinning them
 * would make them so. It always refuses those that userfaultfd protects from writes.
 */
void uring_keep_marks(bool keep);

/* Ends all pins. The kernel unpins the memory some milliseconds later. */
void uring_close(void);

/* The same, and returns when the memory is unpinned. */
void uring_end(void);

/* As ring_in_child(), ring_close_inherited() and ring_abandon(). */
void uring_in_child(void);
void uring_close_inherited(void);
void uring_abandon(void);

#endif
