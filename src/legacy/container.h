/* SPDX-License-Identifier: MIT */
/*
 * /dev/vfio/vfio. Behaves as the kernel's drivers/vfio/container.c does for
 * no-IOMMU groups. A container's descriptor is one of the process's iommufd.
 * Functions return a value or a negative errno and need the lock.
 */
#ifndef LEGACY_CONTAINER_H
#define LEGACY_CONTAINER_H

#include "base/fdtab.h"

struct container {
	struct object object;
	unsigned int groups; /* attached */
	bool iommu_set;	     /* VFIO_SET_IOMMU was done, and groups are left */
};

/*
 * A new container under the number of fd, which is replaced, or under the
 * lowest free one when fd is negative. flags are open()'s.
 */
int container_open(int fd, int flags);

/* Enters fd, a container's that came by exec() or SCM_RIGHTS. NULL: it is none. */
struct container *container_adopt(int fd);

/* Stands for the container, out of our sight, of a group whose device is open. */
extern struct container container_elsewhere;

long container_ioctl(struct container *container, unsigned int cmd, unsigned long arg);

/*
 * A group with a real IOMMU behind it is about to be given to the container:
 * puts the kernel's own container under all its numbers. -EPERM, as the
 * kernel's, when it has no-IOMMU groups.
 */
int container_make_real(struct container *container);

/* A group joins, with a reference, and leaves. */
void container_attach(struct container *container);
void container_detach(struct container *container);

#endif
