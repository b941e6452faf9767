/* SPDX-License-Identifier: MIT */
/*
 * VFIO_DEVICE_PCI_HOT_RESET and VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, which speak
 * of groups on a device that was opened through its group and of iommufd's
 * device ids on one opened by its cdev. All else that can be asked of a device
 * is the kernel's own. Return 0 or a negative errno and need the lock.
 */
#ifndef VFIO_HOTRESET_H
#define VFIO_HOTRESET_H

/* fd is the device's; arg is the host's pointer. */
long hotreset_get_info(int fd, void *arg);
long hotreset_reset(int fd, void *arg);

#endif
