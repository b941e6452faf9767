/* SPDX-License-Identifier: MIT */
/*
 * No-IOMMU VFIO devices by their character devices,
 * /dev/vfio/devices/noiommu-vfioN. Needs the lock.
 */
#ifndef IOMMUFD_CDEV_H
#define IOMMUFD_CDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

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

/* The same with a number that the program may have: RLIMIT_NOFILE holds. */
int cdev_open_for_program(unsigned int index);

/*
 * A group whose device is closed has no open cdev: that would hold the device's
 * registration, and unbinding the driver would wait for its close. It has an open
 * /dev/iommu in its place, which is a character device as mute as a group, and can
 * be opened by whoever can have the device. It says by its locks what it stands for.
 *
 * Opens it, with the group locked. The errors are cdev_open()'s; -EBUSY: somebody
 * has the group.
 */
int cdev_open_placeholder(unsigned int index);

/* True when fd, an iommufd, is a placeholder: of the device with this index. */
bool cdev_is_placeholder(int fd, unsigned int *index);

/* Tells a device from another one that has its index after it: 0 where it is gone. */
ino_t cdev_identity(unsigned int index);

/*
 * Locks between processes, held by the open file under fd, of a cdev or of its
 * placeholder, and gone with its last close; whoever gets the open file can ask
 * for them.
 *
 * Group: the legacy group is open. Container: the group has
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
int cdev_lock(int fd, unsigned int index, enum cdev_lock which, enum cdev_hold hold);

/*
 * True when somebody, this process or another, has the group open; also where that
 * cannot be told, for lack of the right to open the device.
 */
bool cdev_is_held(unsigned int index);

/*
 * The locks that the open file under fd has, a bit for each. Takes no right to
 * open the device. 0 also where it cannot be told.
 */
#define CDEV_BIT(which) (1U << (which))
unsigned int cdev_locks_of(int fd, unsigned int index);

/*
 * Notes in the open file under fd that the calling process uses the device, or
 * does no longer. 1 while another process does that is noted there and has the device
 * open still; 0: none does; a negative errno where that cannot be told.
 */
void cdev_set_user(int fd, unsigned int index, bool uses);
int cdev_is_used_elsewhere(int fd, unsigned int index);

/* Notes the users that are noted under from under to, too. */
void cdev_copy_users(int from, int to, unsigned int index);

/*
 * A duplicate of the open file in which such a process has the device, or a negative
 * errno: the kernel asks for the right to trace that process.
 */
int cdev_take(int fd, unsigned int index);

/*
 * True when another process has the device open, as far as this one may see that.
 * Looks through all of /proc.
 */
bool cdev_is_elsewhere(unsigned int index);

/*
 * Waits until the device lends its page table to nobody, and keeps it from that
 * until cdev_let_lend(). Of one device at a time.
 */
void cdev_keep_from_lending(unsigned int index);
void cdev_let_lend(void);

#endif
