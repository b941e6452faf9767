/* SPDX-License-Identifier: MIT */
/*
 * Which of the processes that share an iommufd by fork() still live.
 *
 * Each has a number, from 1 on, and a lock on it in a file in memory that all
 * of them have. The lock belongs to an open file of the process's own, so it
 * goes when the process ends, however that comes about, and when those have
 * ended too that it had forked: they may use shared memory at an address that
 * it looked up. Who came by the iommufd in another way is not of the family.
 *
 * Needs the lock.
 */
#ifndef IOMMUFD_FAMILY_H
#define IOMMUFD_FAMILY_H

#define FAMILY_LAST 32767 /* the highest number */

/* There is a new iommufd: this process is the first of a family. */
void family_found(void);

/* The iommufd is another one now, not of the family. */
void family_leave(void);

/* The same, and what is open stays so. */
void family_abandon(void);

/* The number of this process, or a negative errno: it is of no family. */
int family_number(void);

/*
 * Calls what() for the numbers of which nobody is left; nobody can take one
 * meanwhile. When the family cannot be told there are none.
 */
void family_each_gone(void (*what)(unsigned int first, unsigned int last));

#endif
