/* SPDX-License-Identifier: MIT */
/*
 * VFIO_DEVICE_PCI_HOT_RESET and VFIO_DEVICE_GET_PCI_HOT_RESET_INFO. Their arguments are
 * groups for a device that was opened through its group, and iommufd device ids for one
 * that was opened by its cdev. The kernel answers all other ioctls of a device. Functions
 * return 0 or a negative errno and need the lock.
 */
#ifndef VFIO_HOTRESET_H
#define VFIO_HOTRESET_H

/* fd is the device; arg is the program's pointer. */
long hotreset_get_info(int fd, void *arg);
long hotreset_reset(int fd, void *arg);

#endif
