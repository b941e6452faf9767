/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <string.h>
#include <sys/mman.h>

#include "base/lock.h"
#include "base/sys.h"

#define CHUNK 4096

static unsigned int epoch;

void slab_abandon(void)
{
	epoch++;
}

/* What is free is not to be trusted after slab_abandon(). */
static void settle(struct slab *slab)
{
	if (slab->epoch == epoch)
		return;
	slab->free = NULL;
	slab->epoch = epoch;
}

static void grow(struct slab *slab)
{
	char *chunk = sys_mmap(CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

	if (sys_is_error(chunk))
		return;
	for (size_t at = 0; at + slab->size <= CHUNK; at += slab->size)
		slab_free(slab, chunk + at);
}

void *slab_alloc(struct slab *slab)
{
	void *object;

	lock_assert_held();
	settle(slab);
	if (!slab->free)
		grow(slab);
	object = slab->free;
	if (object) {
		slab->free = *(void **)object;
		memset(object, 0, slab->size);
	}
	return object;
}

void slab_free(struct slab *slab, void *object)
{
	lock_assert_held();
	settle(slab);
	*(void **)object = slab->free;
	slab->free = object;
}
