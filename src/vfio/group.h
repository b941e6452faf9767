/* SPDX-License-Identifier: MIT */
/*
 * /dev/vfio/noiommu-N and the devices opened through it. Behaves as the
 * kernel's drivers/vfio/group.c does for a no-IOMMU group.
 *
 * While its device is open a group's descriptor is the open file of the device's
 * cdev, and a device's descriptor is a duplicate of it. So whoever has the group,
 * by fork() or SCM_RIGHTS too, can have the device, and no data passes through
 * here. While the device is closed it is the cdev's placeholder (iommufd/cdev.h),
 * with which the device can be taken from its driver. The placeholder is kept
 * until the device is closed: closing takes no right to open anything. A process
 * that closes a device which another one uses goes back to the placeholder, too, so
 * that its group does not keep the device open when the other one ends.
 * Functions need the lock and return a value or a negative errno.
 */
#ifndef VFIO_GROUP_H
#define VFIO_GROUP_H

#include "base/fdtab.h"
#include "iommufd/guard.h"
#include "vfio/membership.h"
#include "tree/view.h"

struct group {
	struct object object;
	struct group *next; /* all groups of this process */
	struct cdev cdev;
	ino_t identity;		   /* of the device, not of another one with its index */
	bool is_gone;		   /* it was taken from its driver */
	struct member member;	   /* of a container */
	struct hidden placeholder; /* while the device is bound */
	struct device *devices;	   /* its open files in this process, the newest first */
	bool is_open;		   /* the device, in this process; a mapped BAR keeps it so */
	struct device *received;   /* NULL: nothing came of which it is not known what it is */
	struct guard guard;
};

/* What one VFIO_GROUP_GET_DEVICE_FD opened. */
struct device {
	struct object object;
	struct device *next; /* of the group */
	struct group *group;
};

/*
 * Opens the group that view found. fd is what the kernel opened under the
 * name, which is replaced, or negative where the kernel has no such node.
 */
int group_open(const struct view *view, int fd, int flags);

/* Opening it with flags that it does not take: -EINVAL, where nothing else is in the way. */
int group_refuse(const struct cdev *cdev);

/* Tells the user why a group cannot be opened, be it the kernel's reason or ours. */
void group_say_refused(const struct cdev *cdev, int error);

/*
 * Enters fd, a group's or a device's that came by exec() or SCM_RIGHTS. NULL: it
 * is neither. While the device is open the two are one open file, and what was
 * meant shows only in the first ioctl: until then it passes for the device.
 */
struct object *group_adopt(int fd);

/* All groups are forgotten, for they may be damaged. */
void group_abandon(void);

/* Enters fd, a group's or a device's before they were forgotten, as what it was. */
void group_arrived_as(int fd, enum fd_kind kind);

/*
 * Around fork(): what is open will be shared. Guards go, for one in this process
 * would shut the other one out.
 */
void group_before_fork(void);
void group_after_fork_in_child(void);

#endif
