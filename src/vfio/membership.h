/* SPDX-License-Identifier: MIT */
/*
 * Which groups are in which container, and whether VFIO_SET_IOMMU was done on it.
 *
 * In the kernel's group path the kernel keeps this, and a child sees the same as its
 * parent. Here it is in memory that they share. A process that received a group by exec()
 * or SCM_RIGHTS shares only the locks of the group's open file. cdev_is_held() says
 * whether a group is open; an entry for a group that is not open has no meaning.
 *
 * Containers are numbers here, from 1 on. Needs the lock. Two processes that change one
 * group at the same time race, which drivers do not do.
 */
#ifndef VFIO_MEMBERSHIP_H
#define VFIO_MEMBERSHIP_H

#include <stdbool.h>

#define MEMBERSHIP_GROUPS 1024 /* devices need an index below */

struct member_state {
	unsigned int container; /* 0: the group is in none */
	bool has_iommu;		/* VFIO_SET_IOMMU was done on the container */
};

/* A group that this process has open. Embedded in its owner, which sets the members above state. */
struct member {
	struct member *next;
	unsigned int index; /* of the cdev */
	int (*fd)(const struct member *member);
	struct member_state *state;
	struct member_state own; /* used instead of the shared entry when the device is gone */
};

/* Adds a group. False: no memory, or the index is too high. */
bool membership_add(struct member *member);

/* This process has closed the group. */
void membership_remove(struct member *member);

/* Forgets all groups, which may be damaged. */
void membership_abandon(void);

/* The group was opened anew: it is in no container. */
void membership_begin(struct member *member);

/* The group's device is gone: the group is in no container, and its index can be reused. */
void membership_part(struct member *member);

/* The group under fd joins the container, or leaves it: vfio_container_attach_group(). */
void membership_join(struct member *member, int fd, unsigned int container);
void membership_leave(struct member *member, int fd);

/* Sets the container's locks on fd, another open file that the group gets. */
void membership_mark(const struct member *member, int fd);

/* True when any process has the group of the device with this index open. */
bool membership_is_held(unsigned int index);

/* A new container's number. */
unsigned int membership_new_container(void);

/*
 * The number of containers and groups that were received by exec() or SCM_RIGHTS: that of
 * this process's newest container, or a new one. It is unknown which of them belong
 * together, and there mostly is only one container.
 */
unsigned int membership_adopted(void);

/* An empty container has no privileges, and no VFIO_SET_IOMMU. */
bool membership_is_empty(unsigned int container);
bool membership_has_iommu(unsigned int container);
void membership_set_iommu(unsigned int container);

/*
 * Updates the entry of the device with this index from the locks of the open file under
 * fd. Returns the locks; 0: it is not a group.
 */
unsigned int membership_note(int fd, unsigned int index);

/* The same for all groups that this process has open. */
void membership_note_all(void);

#endif
