/* SPDX-License-Identifier: MIT */
/*
 * An iommufd that another process made, inherited by fork() or received by exec() or
 * SCM_RIGHTS. Holding it keeps that process's memory pinned, even after its end. So it is
 * closed as soon as the program has no container, group or device open, and no memory
 * pinned in it.
 */
#ifndef VFIO_INHERITED_H
#define VFIO_INHERITED_H

#include <stdint.h>

/* Call it when the program may have closed the last of them. Needs the lock. */
void inherited_settle(void);

/*
 * fork() copies private memory that is pinned, so addresses that the parent looked up are
 * wrong in the child. If the child uses a group or device, this is logged once.
 */
void inherited_before_fork(void);
void inherited_in_child(void);
void inherited_used(void);

/* The other way round: the child has the page at va, and the parent a copy. */
void inherited_part(uint64_t va);

#endif
