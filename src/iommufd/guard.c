/* SPDX-License-Identifier: MIT */
#include "iommufd/guard.h"

#include "base/limit.h"
#include "base/log.h"
#include "base/sys.h"

static struct guard *guards;

void guard_add(struct guard *guard, unsigned int group)
{
	guard->group = group;
	guard->file = (struct hidden)HIDDEN_NONE;
	guard->next = guards;
	guards = guard;
}

void guard_remove(struct guard *guard)
{
	struct guard **at = &guards;

	while (*at != guard)
		at = &(*at)->next;
	*at = guard->next;
	guard_let_go(guard);
}

void guard_abandon(void)
{
	guards = NULL;
}

void guard_take(struct guard *guard, int fd)
{
	hidden_take(&guard->file, fd);
}

void guard_hold(struct guard *guard)
{
	char path[64];
	int fd;

	if (guard->group == GUARD_NONE)
		return;
	format(path, sizeof(path), "/dev/vfio/noiommu-%u", guard->group);
	fd = limit_open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		guard_take(guard, fd);
}

void guard_let_go(struct guard *guard)
{
	hidden_close(&guard->file);
}

bool guard_stand_aside(void)
{
	bool any = false;

	for (struct guard *guard = guards; guard; guard = guard->next) {
		any |= hidden_check(&guard->file);
		guard_let_go(guard);
	}
	return any;
}

void guard_stand_again(void)
{
	/* Fails, as it should, for a device that is bound by now. */
	for (struct guard *guard = guards; guard; guard = guard->next)
		guard_hold(guard);
}
