/* SPDX-License-Identifier: MIT */
/* The descriptors of a device, from VFIO_GROUP_GET_DEVICE_FD. Needs the lock. */
#ifndef VFIO_OPENED_H
#define VFIO_OPENED_H

#include "vfio/group.h"

/* Enters fd as a descriptor of the device; it holds a reference to the group. NULL: no memory. */
struct device *opened_install(struct group *group, int fd);

/*
 * The object for a received descriptor that is treated as the device, and may be the
 * group. NULL: no memory.
 */
struct object *opened_received(struct group *group);

#endif
