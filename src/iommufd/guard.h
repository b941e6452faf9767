/* SPDX-License-Identifier: MIT */
/*
 * A guard: the kernel's own group of a device, held open while the library's group is
 * open and the device is not bound. It keeps others from the device on the kernel's group
 * path. While the device is bound the kernel refuses to open its group anyway. Needs the
 * lock.
 */
#ifndef IOMMUFD_GUARD_H
#define IOMMUFD_GUARD_H

#include "base/hidden.h"

#define GUARD_NONE (~0U) /* the kernel has no group */

struct guard {
	struct guard *next; /* all of this process */
	unsigned int group; /* its number */
	struct hidden file;
};

/* Adds a guard for the kernel's group with this number, not yet open. */
void guard_add(struct guard *guard, unsigned int group);
void guard_remove(struct guard *guard);

/* Forgets all guards, which may be damaged. */
void guard_abandon(void);

/* Takes over fd, an open file of the group. */
void guard_take(struct guard *guard, int fd);

/* Opens the group, if nobody else has it open; closes it. */
void guard_hold(struct guard *guard);
void guard_let_go(struct guard *guard);

/* Closes all guards until guard_stand_again(). False: none was open. */
bool guard_stand_aside(void);
void guard_stand_again(void);

#endif
