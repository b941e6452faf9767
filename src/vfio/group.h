/* SPDX-License-Identifier: MIT */
/*
 * The group, /dev/vfio/noiommu-N, and the devices opened through it. Behaves as the
 * kernel's drivers/vfio/group.c does for a no-IOMMU group.
 *
 * While its device is open, a group's descriptor is the open file of the device's cdev,
 * and a device's descriptor is a duplicate of that. A process that gets the group, also
 * by fork() or SCM_RIGHTS, can therefore use the device, and no data passes through the
 * library.
 *
 * While its device is closed, a group's descriptor is the cdev's placeholder
 * (iommufd/cdev.h), so that the device can be unbound from its driver. The placeholder is
 * kept while the device is open, because closing the device needs no right to open
 * anything. A process that closes a device which another process uses also returns to the
 * placeholder, so that its group does not keep the device open when the other one ends.
 *
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
	ino_t identity;		   /* cdev_identity() of the device */
	bool is_gone;		   /* the device was unbound from its driver */
	struct member member;	   /* its container (vfio/membership.h) */
	struct hidden placeholder; /* kept while the device is bound */
	struct device *devices;	   /* what this process opened, newest first */
	bool is_open;		   /* open in this process; a mapped BAR keeps it open */
	struct device *received;   /* received as the group or the device, or NULL */
	struct guard guard;
	unsigned int tries; /* to bind the device while a child may have the guard */
};

/* The result of one VFIO_GROUP_GET_DEVICE_FD. */
struct device {
	struct object object;
	struct device *next; /* next device of the group */
	struct group *group;
};

/*
 * Opens the group that view found. fd is what the kernel opened under the name, and is
 * replaced; negative where the kernel has no such node. Returns the descriptor or a
 * negative errno.
 */
int group_open(const struct view *view, int fd, int flags);

/* Opens the group with flags that it does not accept: -EINVAL, or the error that comes first. */
int group_refuse(const struct cdev *cdev);

/* Logs why a group cannot be opened. */
void group_say_refused(const struct cdev *cdev, int error);

/*
 * Enters fd if it is a group or device that was received by exec() or SCM_RIGHTS. NULL:
 * it is neither. While the device is open both are the same open file, and only the first
 * ioctl shows which one was meant: until then it is treated as the device.
 */
struct object *group_adopt(int fd);

/* Forgets all groups, which may be damaged. */
void group_abandon(void);

/* Enters fd again after group_abandon(), as the kind that it was. */
void group_arrived_as(int fd, enum fd_kind kind);

/*
 * Around fork(): open files will be shared. Closes the guards, because a guard in one
 * process would keep the other one from its device.
 */
void group_before_fork(void);
void group_after_fork_in_child(void);

#endif
