/* SPDX-License-Identifier: MIT */
/*
 * Which groups are in which container, and whether VFIO_SET_IOMMU was done to
 * that. Natively it is in the kernel, and a fork()ed child and its parent see the
 * same; so it is in memory that they share. A process that came by a group through
 * exec() or SCM_RIGHTS does not share it, but the locks of the group's open file.
 * Who has a group open is the kernel's to say (cdev_is_held()): what stands here of
 * a group that nobody has open means nothing.
 *
 * Containers are numbers here, from 1 on. Needs the lock; two processes that change
 * one group at once race, as drivers do not.
 */
#ifndef VFIO_MEMBERSHIP_H
#define VFIO_MEMBERSHIP_H

#include <stdbool.h>

#define MEMBERSHIP_GROUPS 1024 /* devices have indices below that */

struct member_state {
	unsigned int container; /* 0: the group is in none */
	bool has_iommu;		/* VFIO_SET_IOMMU was done to the container */
};

/* A group that this process has open. Its owner embeds it and sets what is above state. */
struct member {
	struct member *next;
	unsigned int index; /* of the cdev */
	int (*fd)(const struct member *member);
	struct member_state *state;
	struct member_state own; /* in place of what is shared, of one without a device */
};

/* False: there is no memory, or the index is too high. */
bool membership_add(struct member *member);

/* The group is closed here. */
void membership_remove(struct member *member);

/* All are forgotten, for they may be damaged. */
void membership_abandon(void);

/* It is open, and was not before: it is in no container. */
void membership_begin(struct member *member);

/* Its device is gone: it is in no container, and another may have its index. */
void membership_part(struct member *member);

/* The group under fd enters the container, or leaves it: vfio_container_attach_group() */
void membership_join(struct member *member, int fd, unsigned int container);
void membership_leave(struct member *member, int fd);

/* What stands here goes along with another open file that the group gets. */
void membership_mark(const struct member *member, int fd);

/* True when the group of the device with this index is open, here or elsewhere. */
bool membership_is_held(unsigned int index);

/* A number for a new container. */
unsigned int membership_new_container(void);

/*
 * The number for containers and groups that came by exec() or SCM_RIGHTS: that of
 * the container which this process had last, or a new one. Which belong to which
 * cannot be told, and mostly there is one.
 */
unsigned int membership_adopted(void);

/* Containers without groups have no privileges, and VFIO_SET_IOMMU is undone. */
bool membership_is_empty(unsigned int container);
bool membership_has_iommu(unsigned int container);
void membership_set_iommu(unsigned int container);

/*
 * Notes what the locks of the open file under fd, of the device's with this index,
 * tell. Returns them; 0: it is no group's.
 */
unsigned int membership_note(int fd, unsigned int index);

/* The same of all groups that are open here. */
void membership_note_all(void);

#endif
