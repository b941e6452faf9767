/* SPDX-License-Identifier: MIT */
/*
 * Which of the processes that share an iommufd, however it came to them, still
 * live.
 *
 * Each has a number, from 1 on, and a lock on it. The lock belongs to an open
 * file of the process's own, so it goes when the process ends, however that comes
 * about, and when those have ended too that it had forked and that hold on to the
 * iommufd: they may use shared memory at an address that it looked up.
 *
 * All of them have the iommufd's node in common: the locks are on that, and what
 * keeps the families of the machine apart there is ioas_identity().
 *
 * Needs the lock, and a page table.
 */
#ifndef IOMMUFD_FAMILY_H
#define IOMMUFD_FAMILY_H

#define FAMILY_LAST  16383 /* the highest number */
#define FAMILY_LOCKS 65536 /* more than any family has; they begin at CDEV_LOCKS */

/* The iommufd is another one now, or none. */
void family_leave(void);

/* The same, and what is open stays so. */
void family_abandon(void);

/*
 * What the parent looked up is this process's own, which has a number: nothing is owed by
 * the parent's any more. It is free when the parent has ended, and whom else it forked.
 */
void family_succeed(void);

/* The number of this process, or a negative errno: it cannot have one. */
int family_number(void);

/*
 * Calls what() for the numbers of which nobody is left; nobody can take one
 * meanwhile. When the family cannot be told there are none.
 */
void family_each_gone(void (*what)(unsigned int first, unsigned int last));

#endif
