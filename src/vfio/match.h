/* SPDX-License-Identifier: MIT */
/* The names in VFIO_GROUP_GET_DEVICE_FD. */
#ifndef VFIO_MATCH_H
#define VFIO_MATCH_H

#include <stdbool.h>

#include "iommufd/cdev.h"

/*
 * Compares text with the name of the device; a VF token may follow it, which sets
 * *has_token and uuid. 0, -ENODEV, or -EINVAL.
 */
int match_device(const char *name, const char *text, unsigned char uuid[16], bool *has_token);

/* True when the device accepts a token. */
bool match_takes_token(const struct cdev *cdev);

#endif
