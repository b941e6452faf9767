/* SPDX-License-Identifier: MIT */
/*
 * The device of a group. Opened and closed as drivers/vfio/vfio_main.c and
 * drivers/vfio/pci/vfio_pci_core.c do it. Needs the lock.
 */
#ifndef VFIO_DEVICE_H
#define VFIO_DEVICE_H

#include "vfio/group.h"

/* A descriptor of the group's open file, be it the group's or a device's. -1: there is none. */
int device_file(const struct group *group);

/*
 * fd was received and belongs to the group: makes all of the group's descriptors refer to
 * one open file.
 */
void device_settle_file(struct group *group, int fd);

/*
 * Records in that file whether this process uses the device (cdev_set_user()). Also in
 * the placeholder, which other processes may have as their group.
 */
void device_set_user(struct group *group, bool uses);

/*
 * Opens the device through its group under fd; token as for ioas_attach(). Returns a
 * descriptor that is not entered yet, or a negative errno.
 */
int device_open(struct group *group, int fd, const unsigned char *token);

/*
 * Closes the device if nothing refers to it any more. False when something does, here or
 * in another process.
 */
bool device_settle(struct group *group);

/* device_bind() binds the device of a group that has it closed; device_unbind() undoes that. */
bool device_is_bound(const struct group *group);
int device_bind(struct group *group);
void device_unbind(struct group *group);

#endif
