/* SPDX-License-Identifier: MIT */
/*
 * The view: the files of containers and groups as the program sees them. The library adds
 * those that the kernel does not have, and leaves those that it has. Needs the lock.
 *
 * Where the kernel has groups, a device has the kernel's group number. Elsewhere its
 * number is that of its cdev, noiommu-vfioN, offset on a machine that has real IOMMU
 * groups.
 */
#ifndef TREE_VIEW_H
#define TREE_VIEW_H

#include <stdbool.h>
#include <sys/stat.h>

#include "iommufd/cdev.h"

#define VIEW_PATH   512
#define VIEW_DEVICE "anon_inode:[vfio-device]" /* in the place of a path */

enum view_kind {
	VIEW_NONE,
	VIEW_CONTAINER,	  /* /dev/vfio/vfio */
	VIEW_GROUP,	  /* /dev/vfio/noiommu-N */
	VIEW_GROUP_LINK,  /* the link DEVICE/iommu_group */
	VIEW_GROUP_DIR,	  /* /sys/kernel/iommu_groups/N */
	VIEW_DEVICES_DIR, /* /sys/kernel/iommu_groups/N/devices */
	VIEW_DEVICE_LINK, /* the link /sys/kernel/iommu_groups/N/devices/DEVICE */
	VIEW_TEXT,	  /* a file of /sys/kernel/iommu_groups/N */
	VIEW_NOT_DIR,	  /* a path below a file that is not a directory */
	VIEW_NAMELESS,	  /* a device, which has no name: VIEW_DEVICE */
	VIEW_REAL,	  /* a path through one of the links to a file of the kernel's */
};

struct view {
	enum view_kind kind;
	unsigned int group; /* group number */
	struct cdev cdev;   /* the group's device */
	const char *file;   /* VIEW_TEXT: its name, and its contents */
	const char *text;
	char path[VIEW_PATH]; /* without links; VIEW_REAL: the path to use instead */
};

/* Finds what a name stands for that the kernel does not have. */
void view_find(int dirfd, const char *path, bool follow, struct view *view);

/* The same for a path relative to base, which is of the view. */
void view_find_below(const struct view *base, const char *path, bool follow, struct view *view);

/*
 * The model of a file of the view: an existing file of the same type, on which the same
 * calls succeed and fail. It is a character device, a link, a sysfs file, or a directory
 * with no entry of the names that the view's directories have.
 */
void view_model(const struct view *view, char *to, size_t size);

/*
 * Identifies an existing node, open as fd. A group with an IOMMU is VIEW_NONE, and so is
 * the group of a device without a cdev. Returns true for a no-IOMMU group.
 */
bool view_identify(int fd, struct view *view);

/* True when fd is the kernel's group with an IOMMU. */
bool view_is_real_group(int fd);

/* True when fd is an iommufd. */
bool view_is_iommufd(int fd);

/* True when fd is a no-IOMMU cdev. */
bool view_is_cdev(int fd, struct cdev *cdev);

/* The group number of a device: the kernel's, or the one described above. */
unsigned int view_group_of(const struct cdev *cdev);

/* True when the kernel itself has a group for the device. */
bool view_kernel_has_group(const struct cdev *cdev);

/* The text of VIEW_GROUP_LINK and VIEW_DEVICE_LINK, as the kernel forms it. Returns its length. */
size_t view_link(const struct view *view, char *to, size_t size);

/* True for a directory that may have more entries in the view than in the kernel. */
bool view_lists(const char *path);

/* Calls what() with each entry that a directory has only in the view. path contains no links. */
void view_list(const char *path, void (*what)(const char *name, unsigned char type, void *arg),
	       void *arg);

/* stat() of a name that only the view has; it contains no links. 0 or a negative errno. */
int view_stat(const char *name, struct stat *st);

/* The path of the file under fd, without links, from the kernel. False: unknown. */
bool view_path_of(int fd, char *to, size_t size);

#endif
