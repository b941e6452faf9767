/* SPDX-License-Identifier: MIT */
/*
 * The family: the processes that share an iommufd, by fork(), exec() or SCM_RIGHTS. Finds
 * out which of them are gone, to unpin what they left pinned.
 *
 * Each process has a number, from 1 on, and a lock on it. The lock is on an open file of
 * the process's own. It is released when the process has ended, for whatever reason, and
 * so have those children that still hold the iommufd: they may use shared memory at an
 * address that the process looked up.
 *
 * All locks are on the inode of /dev/iommu, which all families of the machine share;
 * ioas_identity() keeps the families apart there.
 *
 * Needs the lock, and a page table.
 */
#ifndef IOMMUFD_FAMILY_H
#define IOMMUFD_FAMILY_H

#define FAMILY_LAST  16383 /* the highest number */
#define FAMILY_LOCKS 65536 /* range of one family, starting at CDEV_LOCKS */

/* Leaves the family: the process has another iommufd now, or none. */
void family_leave(void);

/* The same, and leaves the lock files open. */
void family_abandon(void);

/*
 * This process has pinned for itself what its parent had looked up: drops the lock file
 * that it inherited. The parent's number then becomes free when the parent and its other
 * children have ended.
 */
void family_succeed(void);

/* The number of this process. A negative errno: it cannot have one. */
int family_number(void);

/*
 * Calls what() with each range of numbers that no process holds. No process can take a
 * number meanwhile. If that is unknown, calls nothing.
 */
void family_each_gone(void (*what)(unsigned int first, unsigned int last));

#endif
