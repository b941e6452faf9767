/* SPDX-License-Identifier: MIT */
/*
 * Which path serves this process: the cdev path, where the library answers for groups and
 * containers with cdevs and iommufd, or the kernel's own group path. Needs the lock.
 */
#ifndef BACKEND_PATH_H
#define BACKEND_PATH_H

/*
 * 0: the cdev path. 1: the group path, the kernel answers all calls. A negative errno:
 * the kernel has no cdev path and NOIOMMU_SHIM_MODE=cdev, or it is unknown.
 */
int path_choose(void);

/*
 * On the group path, logs once whether memory is pinned, for a program that opens a
 * no-IOMMU group. On a machine that also has groups with an IOMMU path_choose() does not
 * log that yet, as the program may want those.
 */
void path_tell_unpinned(void);

#endif
