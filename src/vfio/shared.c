/* SPDX-License-Identifier: MIT */
#include "vfio/shared.h"

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
