/* SPDX-License-Identifier: MIT */
/*
 * The names under which a legacy driver looks for containers and groups, on
 * kernels that have them and on those that have not. Needs the lock.
 *
 * A device has its group's number from the kernel where the kernel has groups.
 * Elsewhere the number is that of its cdev, noiommu-vfioN, moved out of the
 * way where the machine has real IOMMU groups.
 */
#ifndef LEGACY_VIEW_H
#define LEGACY_VIEW_H

#include <stdbool.h>

#include "iommufd/cdev.h"

enum view_kind { VIEW_NONE, VIEW_CONTAINER, VIEW_GROUP, VIEW_GROUP_LINK };

struct view {
	enum view_kind kind;
	unsigned int group; /* its number */
	struct cdev cdev;   /* of its device */
};

/* What a name stands for that the kernel does not have. */
void view_find(int dirfd, const char *path, struct view *view);

/*
 * What a node that the kernel has stands for: open as fd. A group with a real
 * IOMMU behind it is VIEW_NONE.
 */
void view_identify(int fd, struct view *view);

/* The group number of a device, from the kernel or by our rule. */
unsigned int view_group_of(const struct cdev *cdev);

/* True when the kernel itself has a group for the device. */
bool view_kernel_has_group(const struct cdev *cdev);

/* The text of a device's iommu_group link, as drivers/iommu/iommu.c makes it. */
size_t view_group_link(const struct view *view, char *to, size_t size);

#endif
