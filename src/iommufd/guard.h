/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own group of a device, held open while the device is not bound,
 * so that nobody can have it on the kernel's own path meanwhile. A bound device
 * keeps its group shut by itself. Needs the lock.
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

/* For a device with the group of this number. It is not held yet. */
void guard_add(struct guard *guard, unsigned int group);
void guard_remove(struct guard *guard);

/* All are forgotten, for they may be damaged. */
void guard_abandon(void);

/* Takes fd, which is the group, over. */
void guard_take(struct guard *guard, int fd);

/* Opens the group, if nobody else has. Lets go of it. */
void guard_hold(struct guard *guard);
void guard_let_go(struct guard *guard);

/* Lets go of all for a moment. False: there is none. */
bool guard_stand_aside(void);
void guard_stand_again(void);

#endif
