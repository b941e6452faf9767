/* SPDX-License-Identifier: MIT */
/*
 * No-IOMMU VFIO devices as character devices (cdevs), /dev/vfio/devices/noiommu-vfioN.
 * Needs the lock.
 */
#ifndef IOMMUFD_CDEV_H
#define IOMMUFD_CDEV_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct cdev {
	unsigned int index; /* N */
	char name[32];	    /* device name: a PCI address for vfio-pci */
	char sysfs[256];    /* device directory, without the leading /sys */
};

/*
 * Calls what() for each no-IOMMU cdev until it returns non-zero, and returns that value.
 * Returns 0 if what() never did, or a negative errno if the directory cannot be read.
 */
int cdev_each(int (*what)(const struct cdev *cdev, void *arg), void *arg);

/* Fills in *cdev for this index. 0 or -ENODEV. */
int cdev_get(unsigned int index, struct cdev *cdev);

/* Opens the cdev, unbound and with O_CLOEXEC. A descriptor or a negative errno. */
int cdev_open(unsigned int index);

/* The same with a descriptor that the program gets, so RLIMIT_NOFILE applies. */
int cdev_open_for_program(unsigned int index);

/*
 * The placeholder of a cdev: an open /dev/iommu. A group holds it instead of the cdev
 * while its device is closed. An open cdev would hold the device's registration, and
 * unbinding the driver would wait until it is closed. Like a group, /dev/iommu is a
 * character device that cannot be read, written or mapped, and whoever may use the device
 * may open it. Its locks say which device it belongs to.
 *
 * Opens a placeholder and locks the group. Errors are cdev_open()'s; -EBUSY: the group is
 * open elsewhere.
 */
int cdev_open_placeholder(unsigned int index);

/* True when fd, an iommufd, is a placeholder; *index is that of its device. */
bool cdev_is_placeholder(int fd, unsigned int *index);

/*
 * Identifies the device that has this index now: a later device with the same index has
 * another value. 0: there is none.
 */
ino_t cdev_identity(unsigned int index);

/*
 * Locks between processes. They are OFD locks on an open cdev or placeholder: the kernel
 * drops them with the last close of the open file, and each process that has the open
 * file can read them.
 *
 * - Group: the group is open.
 * - Container: the group has its container set.
 * - IOMMU: VFIO_SET_IOMMU was done on that container.
 * - Lending: the device is bound for a moment to lend its page table (iommufd/lend.h).
 * - Device: the device was opened through the group. Without this lock a bound device is
 *   only kept from others.
 * - Passed: other processes got the open file, by fork(), exec() or SCM_RIGHTS.
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

/*
 * Offset of the locks in the file. A program that locks the whole file gets the range
 * before it.
 */
#define CDEV_LOCKS (1L << 62)

/* 0, or -EAGAIN when another open file has the lock. */
int cdev_lock(int fd, unsigned int index, enum cdev_lock which, enum cdev_hold hold);

/*
 * True when any process, this one included, has the group open. Also true when that is
 * unknown because this process may not open the device.
 */
bool cdev_is_held(unsigned int index);

/*
 * The locks of the open file under fd, one bit each. Needs no right to open the device.
 * Also 0 when they cannot be read.
 */
#define CDEV_BIT(which) (1U << (which))
unsigned int cdev_locks_of(int fd, unsigned int index);

/*
 * cdev_set_user() records in the open file under fd, by a lock, whether the calling
 * process uses the device. cdev_is_used_elsewhere() returns 1 while another recorded
 * process has the device open, 0 if none has, or a negative errno when that is unknown.
 */
void cdev_set_user(int fd, unsigned int index, bool uses);
int cdev_is_used_elsewhere(int fd, unsigned int index);

/* Copies the record of users from one open file to the other. */
void cdev_copy_users(int from, int to, unsigned int index);

/*
 * A duplicate of another user's open file of the device, or a negative errno. Needs the
 * right to ptrace that process.
 */
int cdev_take(int fd, unsigned int index);

/*
 * True when another process has the device open, as far as this one may see. Scans all of
 * /proc.
 */
bool cdev_is_elsewhere(unsigned int index);

/* Instead of an errno: leave the lock, call cdev_wait(), then begin again. */
#define CDEV_WAIT (-ERESTART)

/*
 * Prevents that the device lends its page table until cdev_let_lend(). CDEV_WAIT: it is
 * lending. For one device at a time.
 */
int cdev_keep_from_lending(unsigned int index);
void cdev_let_lend(void);

/* Waits for a millisecond, or until a signal. Without the lock. Async-signal-safe. */
void cdev_wait(void);

#endif
