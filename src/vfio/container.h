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
	unsigned int number; /* under which its state is shared with related processes */
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
 * The number for containers and groups that came so: that of the container
 * which this process had last, or a new one. Which belong to which cannot be
 * told, and mostly there is one.
 */
unsigned int container_adopted(void);

long container_ioctl(struct container *container, unsigned int cmd, unsigned long arg);

/*
 * A group with a real IOMMU behind it is about to be given to the container:
 * puts the kernel's own container under all its numbers. -EPERM, as the
 * kernel's, when it has no-IOMMU groups.
 */
int container_make_real(struct container *container);

/*
 * Before a group joins, and after one has left: an empty container has no
 * privileges, and VFIO_SET_IOMMU is undone.
 */
void container_settle(unsigned int number);

/* True when VFIO_SET_IOMMU was done. */
bool container_has_iommu(unsigned int number);

#endif
