/* SPDX-License-Identifier: MIT */
/* The names by which drivers ask a group for its device. */
#ifndef VFIO_MATCH_H
#define VFIO_MATCH_H

#include <stdbool.h>

#include "iommufd/cdev.h"

/*
 * Is text the name of the device, with a VF token behind it where *has_token? 0,
 * -ENODEV, or -EINVAL.
 */
int match_device(const char *name, const char *text, unsigned char uuid[16], bool *has_token);

/* True when there can be a token for the device. */
bool match_takes_token(const struct cdev *cdev);

#endif
