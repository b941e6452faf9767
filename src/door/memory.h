/* SPDX-License-Identifier: MIT */
/*
 * Memory that the host gives back, moves, or maps over. All functions take the lock
 * themselves, are async-signal-safe, leave errno alone and return a value or a
 * negative errno, unless they say otherwise.
 */
#ifndef DOOR_MEMORY_H
#define DOOR_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pin/deferred.h"
#include "pin/pin.h"

/* A cheap test whether the program was told an address in the range. */
static inline bool memory_told(const void *addr, size_t len)
{
	return store_any((uintptr_t)addr, len) || deferred_tells_unpinned;
}

/*
 * Memory that the program gives back. Pages of a shared mapping can be mapped
 * elsewhere in the process; their pins go there first, while the old mapping
 * still stands.
 *
 *	memory_leaving(addr, len);
 *	ret = munmap(addr, len);
 *	if (!ret)
 *		memory_left(addr, len);
 */
void memory_leaving(uintptr_t addr, size_t len);

/* The same where fd is mapped at pos instead, which can be the very pages that are there. */
void memory_leaving_for(uintptr_t addr, size_t len, int fd, off_t pos);

/*
 * The same where the file that is mapped there already is mapped at pos instead: that
 * with this inode number, or, if it is 0, the first.
 */
void memory_leaving_for_part(uintptr_t addr, size_t len, ino_t ino, uint64_t pos);
void memory_left(uintptr_t addr, size_t len);

/* The same around shmdt(): the length is to be found out. */
size_t memory_detaching(uintptr_t addr);
void memory_detached(uintptr_t addr, size_t len);

/*
 * Around an madvise() that throws the contents of private pages away; shared ones
 * come back the same. What MADV_FREE gives back stays pinned: it is the program's
 * until the kernel takes it.
 */
void memory_discarding(uintptr_t addr, size_t len);
void memory_discarded(uintptr_t addr, size_t len);

/* Around an madvise() that cuts the pages out of the file that is mapped there. */
void memory_removing(uintptr_t addr, size_t len);
void memory_removed(uintptr_t addr, size_t len);

/*
 * Around a call that cuts [offset, offset + len) out of the file under fd. They cost
 * little while no address was told.
 */
void memory_punching(int fd, off_t offset, off_t len);
void memory_punched(int fd, off_t offset, off_t len);

/*
 * Before the file under fd is to end at len. True when it has been longer: drivers
 * make a file for each hugepage, one after the other, and let it grow.
 */
bool memory_truncating(int fd, off_t len);

/* The file under fd ends at len now: the private copies of what was behind are gone, too. */
void memory_truncated(int fd, off_t len);

/* open() emptied the file, with nothing said before. */
void memory_emptied(int fd);

/*
 * Around mremap(), which may move the pages of [from, from + len) to to. to is
 * from when it did not.
 */
void memory_moving(uintptr_t from, size_t len);
void memory_moved(uintptr_t from, uintptr_t to, size_t len);

#endif
