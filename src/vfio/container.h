/* SPDX-License-Identifier: MIT */
/*
 * /dev/vfio/vfio. Behaves as the kernel's drivers/vfio/container.c does for
 * no-IOMMU groups. A container's descriptor is one of the process's iommufd.
 * Functions return a value or a negative errno and need the lock.
 */
#ifndef VFIO_CONTAINER_H
#define VFIO_CONTAINER_H

#include "base/fdtab.h"

struct container {
	struct object object;
	unsigned int number; /* vfio/membership.h */
};

/*
 * A new container under the number of fd, which is replaced, or under the
 * lowest free one when fd is negative. flags are open()'s.
 */
int container_open(int fd, int flags);

/* All containers are forgotten, for they may be damaged. */
void container_abandon(void);

/* Enters fd, a container's that came by exec() or SCM_RIGHTS. NULL: it is none. */
struct container *container_adopt(int fd);

/*
 * A group with a real IOMMU behind it is about to be given to the container:
 * puts the kernel's own container under all its numbers. -EPERM, as the
 * kernel's, when it has no-IOMMU groups.
 */
int container_make_real(struct container *container);

#endif
