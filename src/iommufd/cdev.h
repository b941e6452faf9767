/* SPDX-License-Identifier: MIT */
/*
 * No-IOMMU VFIO devices by their character devices,
 * /dev/vfio/devices/noiommu-vfioN. Needs the lock.
 */
#ifndef IOMMUFD_CDEV_H
#define IOMMUFD_CDEV_H

#include <stdbool.h>
#include <stddef.h>

struct cdev {
	unsigned int index; /* N */
	char name[32];	    /* of the device: a PCI address for vfio-pci */
	char sysfs[256];    /* the device's directory, without /sys in front */
};

/*
 * Calls what() for each no-IOMMU cdev until it returns non-zero, which is then
 * the result. 0 when none did, or the negative errno of the directory.
 */
int cdev_each(int (*what)(const struct cdev *cdev, void *arg), void *arg);

/* Fills in *cdev from its index. 0 or -ENODEV. */
int cdev_get(unsigned int index, struct cdev *cdev);

/* Opens it, unbound. A descriptor that closes on exec, or a negative errno. */
int cdev_open(unsigned int index);

/*
 * Locks between processes, held by the open file under fd and gone with its
 * last close; whoever gets the open file can ask for them.
 *
 * Group: the legacy group is open. Shared stands only between two open files
 * of one holder, while one takes over from the other. Container: the group has
 * its container set. IOMMU: that container has VFIO_SET_IOMMU done. Lending: a
 * device is bound for the moment in which it lends its page table. Device: it
 * was opened through the group, where a bound one may only be kept from others.
 * Passed: other processes got the open file, by fork(), exec() or SCM_RIGHTS.
 */
enum cdev_lock {
	CDEV_LOCK_GROUP,
	CDEV_LOCK_CONTAINER,
	CDEV_LOCK_IOMMU,
	CDEV_LOCK_LENDING,
	CDEV_LOCK_DEVICE,
	CDEV_LOCK_PASSED,
};
enum cdev_hold { CDEV_FREE, CDEV_SHARED, CDEV_EXCLUSIVE };

/* Where they are in the file. A program that locks all of it gets what is before that. */
#define CDEV_LOCKS (1L << 62)

/* 0, or -EAGAIN when another open file has it. */
int cdev_lock(int fd, enum cdev_lock which, enum cdev_hold hold);

/*
 * True when somebody, this process or another, has it; also where that cannot
 * be told, for lack of the right to open the device.
 */
bool cdev_is_locked(unsigned int index, enum cdev_lock which);

/*
 * The locks that the open file under fd has, a bit for each. Takes no right to
 * open the device. 0 also where it cannot be told.
 */
#define CDEV_BIT(which) (1U << (which))
unsigned int cdev_locks_of(int fd);

/*
 * Notes in the open file under fd that the calling process uses the device, or
 * does no longer. True while another process does that is noted there and has
 * the device open still.
 */
void cdev_set_user(int fd, bool uses);
bool cdev_is_used_elsewhere(int fd);

/*
 * True when another process has the device of fd open, as far as this one may
 * see that. Looks through all of /proc.
 */
bool cdev_is_elsewhere(int fd);

/* Returns when nobody lends the device. */
void cdev_wait_lending(unsigned int index);

#endif
