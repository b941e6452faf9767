/* SPDX-License-Identifier: MIT */
/*
 * What containers and groups are to each other. Natively that is in the kernel,
 * and a fork()ed child and its parent see the same; so it is in memory that
 * they share. Who has a group open is the kernel's to say (cdev_lock()): what
 * stands here of a group that nobody has open means nothing.
 *
 * Needs the lock; two processes that change one group at once race, as drivers
 * do not.
 */
#ifndef VFIO_SHARED_H
#define VFIO_SHARED_H

#include <stdbool.h>
#include <sys/types.h>

#define SHARED_CONTAINERS 1024 /* at a time */
#define SHARED_GROUPS	  1024

struct shared_group {
	unsigned int container; /* its number; 0: not set */
};

/* The state of the group of the device with this cdev index; NULL: no memory, or too high. */
struct shared_group *shared_group(unsigned int index);

/* A number for a new container, not 0. */
unsigned int shared_new_container(void);

/* Whether VFIO_SET_IOMMU was done to the container. */
bool *shared_iommu_set(unsigned int container);

/* How many of the groups have the container set; held() tells who is open. */
unsigned int shared_groups_of(unsigned int container, bool held(unsigned int index));

#endif
