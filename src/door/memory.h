/* SPDX-License-Identifier: MIT */
/*
 * Memory that the program unmaps, moves or maps over. Memory is "told" when the program
 * has read its physical address from pagemap. The pins of told memory follow its pages,
 * or end with them.
 *
 * All functions take the lock, are async-signal-safe, leave errno alone and return a
 * value or a negative errno, unless they say otherwise.
 */
#ifndef DOOR_MEMORY_H
#define DOOR_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/user.h"
#include "pin/deferred.h"
#include "pin/pin.h"

/* A cheap test whether any memory in the range may be told. Needs no lock. */
static inline bool memory_told(const void *addr, size_t len)
{
	return store_any(user_address(addr), len) || deferred_tells_unpinned;
}

/*
 * Around an unmapping. Pages of a shared mapping can also be mapped elsewhere in the
 * process: memory_leaving() moves their pins there while the old mapping still exists.
 *
 *	memory_leaving(addr, len);
 *	ret = munmap(addr, len);
 *	if (!ret)
 *		memory_left(addr, len);
 */
void memory_leaving(uintptr_t addr, size_t len);

/* memory_leaving() when fd is mapped at offset pos instead, which can show the same pages. */
void memory_leaving_for(uintptr_t addr, size_t len, int fd, off_t pos);

/*
 * memory_leaving() when a file that is already mapped there is mapped at offset pos
 * instead: the one with inode number ino, or the first one if ino is 0.
 */
void memory_leaving_for_part(uintptr_t addr, size_t len, ino_t ino, uint64_t pos);
void memory_left(uintptr_t addr, size_t len);

/* Around shmdt(). memory_detaching() returns the length. */
size_t memory_detaching(uintptr_t addr);
void memory_detached(uintptr_t addr, size_t len);

/*
 * Around an madvise() that discards private pages; shared ones come back with the same
 * contents. Pages under MADV_FREE stay pinned: they are the program's until the kernel
 * takes them.
 */
void memory_discarding(uintptr_t addr, size_t len);
void memory_discarded(uintptr_t addr, size_t len);

/* Around an madvise() that punches a hole into the mapped file. */
void memory_removing(uintptr_t addr, size_t len);
void memory_removed(uintptr_t addr, size_t len);

/*
 * Around a call that punches [offset, offset + len) out of the file under fd. They cost
 * little while no memory is told.
 */
void memory_punching(int fd, off_t offset, off_t len);
void memory_punched(int fd, off_t offset, off_t len);

/*
 * The file under fd is about to be truncated to len. True when it was longer. Drivers
 * create a file for each hugepage and extend it: that is not followed further.
 */
bool memory_truncating(int fd, off_t len);

/* The file was truncated to len. Private copies of pages behind len are gone as well. */
void memory_truncated(int fd, off_t len);

/* open() with O_TRUNC has emptied the file; no call before announced it. */
void memory_emptied(int fd);

/*
 * Around mremap(), which may move the pages of [from, from + len) to to. to equals from
 * if it did not.
 */
void memory_moving(uintptr_t from, size_t len);
void memory_moved(uintptr_t from, uintptr_t to, size_t len);

#endif
