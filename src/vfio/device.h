/* SPDX-License-Identifier: MIT */
/*
 * The device of a group: opened, kept and closed as drivers/vfio/pci/vfio_pci_core.c
 * and drivers/vfio/vfio_main.c do it. Needs the lock.
 */
#ifndef VFIO_DEVICE_H
#define VFIO_DEVICE_H

#include "vfio/group.h"

/* A descriptor of the group's open file: the group's own or a device's. -1: there is none. */
int device_file(const struct group *group);

/* fd came and is of the group: all its descriptors are to be of one file. */
void device_settle_file(struct group *group, int fd);

/*
 * Notes in that file whether this process uses the device, and in the placeholder, too,
 * which others may have in their groups.
 */
void device_set_user(struct group *group, bool uses);

/*
 * Opens the device through its group under fd; token as for ioas_attach(). Returns a
 * descriptor, which is not entered yet, or a negative errno.
 */
int device_open(struct group *group, int fd, const unsigned char *token);

/* Closes it if nothing refers to it any more. False when something does. */
bool device_settle(struct group *group);

/* Binds the device of a group in which it is not bound, and undoes that. */
bool device_is_bound(const struct group *group);
int device_bind(struct group *group);
void device_unbind(struct group *group);

#endif
