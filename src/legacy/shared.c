/* SPDX-License-Identifier: MIT */
#include "legacy/shared.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/sys.h"

static struct shared {
	unsigned int last_container;
	bool iommu_set[SHARED_CONTAINERS];
	struct shared_group groups[SHARED_GROUPS];
} * shared;

static struct shared *get(void)
{
	if (!shared) {
		struct shared *memory = sys_mmap(sizeof(*memory), PROT_READ | PROT_WRITE,
						 MAP_SHARED | MAP_ANONYMOUS);

		shared = sys_is_error(memory) ? NULL : memory;
	}
	return shared;
}

struct shared_group *shared_group(unsigned int index)
{
	return get() && index < SHARED_GROUPS ? &shared->groups[index] : NULL;
}

unsigned int shared_new_container(void)
{
	return get() ? ++shared->last_container : 1;
}

bool *shared_iommu_set(unsigned int container)
{
	return &shared->iommu_set[container % SHARED_CONTAINERS];
}

unsigned int shared_groups_of(unsigned int container, bool held(unsigned int index))
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SHARED_GROUPS; i++)
		if (shared->groups[i].container == container && held(i))
			count++;
	return count;
}

static void replace(struct shared_group *group, pid_t from, pid_t to)
{
	for (int i = 0; i < SHARED_PROCESSES; i++) {
		if (group->processes[i] == from) {
			group->processes[i] = to;
			return;
		}
	}
}

void shared_device_opened(struct shared_group *group)
{
	shared_device_closed(group);
	replace(group, 0, sys_getpid());
}

void shared_device_closed(struct shared_group *group)
{
	replace(group, sys_getpid(), 0);
}

bool shared_device_elsewhere(struct shared_group *group)
{
	bool elsewhere = false;

	for (int i = 0; i < SHARED_PROCESSES; i++) {
		pid_t pid = group->processes[i];

		if (!pid || pid == sys_getpid())
			continue;
		if (sys_call(SYS_kill, pid, 0, 0, 0, 0, 0) == -ESRCH)
			group->processes[i] = 0;
		else
			elsewhere = true;
	}
	return elsewhere;
}
