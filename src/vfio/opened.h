/* SPDX-License-Identifier: MIT */
/*
 * What VFIO_GROUP_GET_DEVICE_FD opened: the descriptors of a device. Needs the lock.
 */
#ifndef VFIO_OPENED_H
#define VFIO_OPENED_H

#include "vfio/group.h"

/* Enters fd as an open file of the device's, which holds its group. NULL: no memory. */
struct device *opened_install(struct group *group, int fd);

/* What passes for the device and may be the group. NULL: no memory. */
struct object *opened_received(struct group *group);

#endif
