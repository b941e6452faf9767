/* SPDX-License-Identifier: MIT */
/*
 * An iommufd that is another process's: it came by fork(), exec() or SCM_RIGHTS.
 * Whoever holds it keeps pinned what that process has pinned, also when that is
 * dead. So it is held no longer than the program itself holds a container, a
 * group or a device, or has memory pinned in it.
 */
#ifndef VFIO_INHERITED_H
#define VFIO_INHERITED_H

/* The program may have closed the last one. Needs the lock. */
void inherited_settle(void);

/*
 * Private memory that the parent had looked up is copied for a child. Where that goes on
 * using a group or a device, the addresses it has are wrong: it is told so, once.
 */
void inherited_before_fork(void);
void inherited_in_child(void);
void inherited_used(void);

#endif
