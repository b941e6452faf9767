/* SPDX-License-Identifier: MIT */
#include "vfio/membership.h"

#include <stddef.h>

#include "base/sys.h"
#include "iommufd/cdev.h"

static struct shared {
	unsigned int last_container;
	struct member_state groups[MEMBERSHIP_GROUPS];
} * shared;

static struct member *members;
static unsigned int last_container; /* the newest one of this process */

static bool is_ready(void)
{
	if (!shared) {
		struct shared *memory = sys_memory_shared(sizeof(*memory));

		shared = sys_is_error(memory) ? NULL : memory;
	}
	return shared;
}

bool membership_add(struct member *member)
{
	if (!is_ready() || member->index >= MEMBERSHIP_GROUPS)
		return false;
	member->state = &shared->groups[member->index];
	member->next = members;
	members = member;
	return true;
}

static void clear(struct member *member)
{
	*member->state = (struct member_state){0};
}

void membership_remove(struct member *member)
{
	struct member **at = &members;

	while (*at != member)
		at = &(*at)->next;
	*at = member->next;
	/* Another process may still have it open. */
	if (!membership_is_held(member->index))
		clear(member);
}

void membership_abandon(void)
{
	members = NULL;
}

void membership_begin(struct member *member)
{
	clear(member);
}

void membership_part(struct member *member)
{
	clear(member);
	member->own = (struct member_state){0};
	member->state = &member->own;
}

void membership_mark(const struct member *member, int fd)
{
	const struct member_state *state = member->state;

	cdev_lock(fd, member->index, CDEV_LOCK_CONTAINER,
		  state->container ? CDEV_EXCLUSIVE : CDEV_FREE);
	cdev_lock(fd, member->index, CDEV_LOCK_IOMMU,
		  state->has_iommu ? CDEV_EXCLUSIVE : CDEV_FREE);
}

void membership_join(struct member *member, int fd, unsigned int container)
{
	member->state->has_iommu = membership_has_iommu(container);
	member->state->container = container;
	membership_mark(member, fd);
}

void membership_leave(struct member *member, int fd)
{
	clear(member);
	membership_mark(member, fd);
}

bool membership_is_held(unsigned int index)
{
	for (const struct member *member = members; member; member = member->next)
		if (member->index == index && member->state != &member->own)
			return true;
	return cdev_is_held(index);
}

/* ---- containers ---- */

unsigned int membership_new_container(void)
{
	/* Without memory no group can be opened, and containers need not be told apart. */
	last_container = is_ready() ? ++shared->last_container : 1;
	return last_container;
}

unsigned int membership_adopted(void)
{
	return last_container ? last_container : membership_new_container();
}

/* The first group from index on that is in the container and open; NULL: there is none. */
static struct member_state *next_of(unsigned int container, unsigned int index)
{
	for (; is_ready() && index < MEMBERSHIP_GROUPS; index++)
		if (shared->groups[index].container == container && membership_is_held(index))
			return &shared->groups[index];
	return NULL;
}

static struct member_state *next_after(const struct member_state *state, unsigned int container)
{
	return next_of(container, (unsigned int)(state - shared->groups) + 1);
}

bool membership_is_empty(unsigned int container)
{
	return !next_of(container, 0);
}

bool membership_has_iommu(unsigned int container)
{
	const struct member_state *state;

	/* A process that called exec() no longer shares the memory, but still the open files. */
	membership_note_all();
	for (state = next_of(container, 0); state; state = next_after(state, container))
		if (state->has_iommu)
			return true;
	return false;
}

void membership_set_iommu(unsigned int container)
{
	struct member_state *state;

	for (state = next_of(container, 0); state; state = next_after(state, container))
		state->has_iommu = true;
	for (const struct member *member = members; member; member = member->next)
		if (member->state->container == container)
			membership_mark(member, member->fd(member));
}

/* ---- from the locks ---- */

unsigned int membership_note(int fd, unsigned int index)
{
	unsigned int locks = cdev_locks_of(fd, index);
	struct member_state *state;

	if (!is_ready() || index >= MEMBERSHIP_GROUPS || !(locks & CDEV_BIT(CDEV_LOCK_GROUP)))
		return 0;
	state = &shared->groups[index];
	if (!(locks & CDEV_BIT(CDEV_LOCK_CONTAINER)))
		*state = (struct member_state){0};
	else if (!state->container)
		state->container = membership_adopted();
	if (locks & CDEV_BIT(CDEV_LOCK_IOMMU))
		state->has_iommu = true;
	return locks;
}

void membership_note_all(void)
{
	for (const struct member *member = members; member; member = member->next)
		membership_note(member->fd(member), member->index);
}
