/* SPDX-License-Identifier: MIT */
/*
 * /dev/vfio/noiommu-N and the devices opened through it. Behaves as the
 * kernel's drivers/vfio/group.c does for a no-IOMMU group.
 *
 * A group's descriptor is an open file of the device's cdev, unbound until
 * VFIO_GROUP_GET_DEVICE_FD; a device's descriptor is a duplicate of it. So
 * whoever has the group, by fork() or SCM_RIGHTS too, can have the device, and
 * no data passes through here. Functions need the lock and return a value or
 * a negative errno.
 */
#ifndef LEGACY_GROUP_H
#define LEGACY_GROUP_H

#include "base/fdtab.h"
#include "base/hidden.h"
#include "legacy/container.h"
#include "legacy/view.h"

struct group {
	struct object object;
	struct group *next; /* all groups of this process */
	struct cdev cdev;
	struct container *container; /* NULL: not set */
	struct device *device;	     /* NULL: not open */
	/*
	 * The kernel's own group, held open while the device is not bound, so
	 * that nobody else can have it. A bound device keeps it shut by itself.
	 */
	struct hidden guard;
	unsigned int generation; /* of the process that bound the device */
};

struct device {
	struct object object;
	struct group *group;
};

/*
 * Opens the group that view found. fd is what the kernel opened under the
 * name, which is replaced, or negative where the kernel has no such node.
 */
int group_open(const struct view *view, int fd, int flags);

/* Enters fd, a group's that came by exec() or SCM_RIGHTS. NULL: it is none. */
struct group *group_adopt(int fd);

long group_ioctl(struct group *group, int fd, unsigned int cmd, unsigned long arg);

/* Binds the device of a group in which it is not open, and undoes that, also after an error. */
int group_bind(struct group *group);
void group_unbind(struct group *group);

/* Makes sure of a page table, with a device of this process if no other is free. */
int group_page_table(void);

#endif
