/* SPDX-License-Identifier: MIT */
/*
 * Which path serves this process: the cdev path of iommufd, or the kernel's
 * own group path, untouched. Needs the lock.
 */
#ifndef BACKEND_PATH_H
#define BACKEND_PATH_H

/*
 * 0: the cdev path. 1: the group path, pass everything on. A negative errno:
 * NOIOMMU_SHIM_MODE=cdev, and the kernel has no cdev path; or it cannot be told.
 */
int path_choose(void);

/*
 * On the group path a program with a no-IOMMU group is told once, by a line in
 * the log, whether its memory is pinned. Where the machine also has groups
 * with an IOMMU the choice alone does not tell which the program wants: then it
 * is left untold until a no-IOMMU group is opened.
 */
void path_tell_unpinned(void);

#endif
