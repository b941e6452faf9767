/* SPDX-License-Identifier: MIT */
/*
 * The names under which a legacy driver looks for containers and groups, on
 * kernels that have them and on those that have not. Needs the lock.
 *
 * A device has its group's number from the kernel where the kernel has groups.
 * Elsewhere the number is that of its cdev, noiommu-vfioN, moved out of the
 * way where the machine has real IOMMU groups.
 */
#ifndef TREE_VIEW_H
#define TREE_VIEW_H

#include <stdbool.h>
#include <sys/stat.h>

#include "iommufd/cdev.h"

#define VIEW_PATH   512
#define VIEW_DEVICE "anon_inode:[vfio-device]" /* in place of a path */

enum view_kind {
	VIEW_NONE,
	VIEW_CONTAINER,	  /* /dev/vfio/vfio */
	VIEW_GROUP,	  /* /dev/vfio/noiommu-N */
	VIEW_GROUP_LINK,  /* DEVICE/iommu_group, the link itself */
	VIEW_GROUP_DIR,	  /* /sys/kernel/iommu_groups/N */
	VIEW_DEVICES_DIR, /* /sys/kernel/iommu_groups/N/devices */
	VIEW_DEVICE_LINK, /* /sys/kernel/iommu_groups/N/devices/DEVICE, the link itself */
	VIEW_TEXT,	  /* a file of /sys/kernel/iommu_groups/N */
	VIEW_NOT_DIR,	  /* something below one of the files */
	VIEW_NAMELESS,	  /* a device, which is reached by descriptors alone: VIEW_DEVICE */
	VIEW_REAL,	  /* a path through one of the links to what the kernel has */
};

struct view {
	enum view_kind kind;
	unsigned int group; /* its number */
	struct cdev cdev;   /* of its device */
	const char *file;   /* of VIEW_TEXT: its name and what is in it */
	const char *text;
	char path[VIEW_PATH]; /* the name itself, with no link in it; of VIEW_REAL what to use */
};

/* What a name stands for that the kernel does not have. */
void view_find(int dirfd, const char *path, bool follow, struct view *view);

/* The same for a path that begins at base, which is of ours. */
void view_find_below(const struct view *base, const char *path, bool follow, struct view *view);

/*
 * Something that the kernel has and that is of the same kind: a character
 * device, a link, a file of sysfs, or a directory in which nothing is that the
 * directories of ours have. What can be done with one can be done with the other.
 */
void view_model(const struct view *view, char *to, size_t size);

/*
 * What a node that the kernel has stands for: open as fd. A group with a real
 * IOMMU behind it is VIEW_NONE, and so is one of a device that has no cdev.
 * True for a group without an IOMMU.
 */
bool view_identify(int fd, struct view *view);

/* True when the file under fd is the kernel's group with a real IOMMU behind it. */
bool view_is_real_group(int fd);

/* True when the file under fd is an iommufd. */
bool view_is_iommufd(int fd);

/* True when the file under fd is a no-IOMMU cdev. */
bool view_is_cdev(int fd, struct cdev *cdev);

/* The group number of a device, from the kernel or by our rule. */
unsigned int view_group_of(const struct cdev *cdev);

/* True when the kernel itself has a group for the device. */
bool view_kernel_has_group(const struct cdev *cdev);

/* The text of VIEW_GROUP_LINK and VIEW_DEVICE_LINK, as the kernel makes it; its length. */
size_t view_link(const struct view *view, char *to, size_t size);

/* True for a directory that may have more in our view than in the kernel's. */
bool view_lists(const char *path);

/*
 * Calls what() with each name that a directory has in our view and not in the
 * kernel's. path is its name without links.
 */
void view_list(const char *path, void (*what)(const char *name, unsigned char type, void *arg),
	       void *arg);

/* stat() of a name without links that only our view has. 0 or a negative errno. */
int view_stat(const char *name, struct stat *st);

/* Where the file under fd is, as the kernel tells it, without links. False: cannot be told. */
bool view_path_of(int fd, char *to, size_t size);

#endif
