/* SPDX-License-Identifier: MIT */
/*
 * The container, /dev/vfio/vfio. Behaves as the kernel's drivers/vfio/container.c does
 * for no-IOMMU groups. Its descriptor is a duplicate of the process's iommufd. Functions
 * return a value or a negative errno and need the lock.
 */
#ifndef VFIO_CONTAINER_H
#define VFIO_CONTAINER_H

#include "base/fdtab.h"

struct container {
	struct object object;
	unsigned int number; /* vfio/membership.h */
};

/*
 * Opens a new container as descriptor fd, which is replaced, or as the lowest free one
 * when fd is negative. flags are open()'s. Returns the descriptor or a negative errno.
 */
int container_open(int fd, int flags);

/* Forgets all containers, which may be damaged. */
void container_abandon(void);

/* Enters fd if it is a container that was received by exec() or SCM_RIGHTS. NULL: it is none. */
struct container *container_adopt(int fd);

/*
 * The program is about to add a group with an IOMMU: replaces all the container's
 * descriptors by the kernel's own container. -EPERM, as in the kernel, when it has
 * no-IOMMU groups.
 */
int container_make_real(struct container *container);

#endif
