/* SPDX-License-Identifier: MIT */
#include "base/slab.h"

#include <string.h>

#include "base/lock.h"
#include "base/page.h"
#include "base/sys.h"

static unsigned int epoch;

void slab_abandon(void)
{
	epoch++;
}

/* The free list is not trusted after slab_abandon(). */
static void settle(struct slab *slab)
{
	if (slab->epoch == epoch)
		return;
	slab->free = NULL;
	slab->left = 0;
	slab->epoch = epoch;
}

/* From memory that was never used, which is zeroed. */
static void *fresh(struct slab *slab)
{
	if (slab->left < slab->size) {
		size_t len = page_size();
		char *chunk = sys_memory(len);

		if (sys_is_error(chunk))
			return NULL;
		slab->end = chunk + len;
		slab->left = len;
	}
	slab->left -= slab->size;
	return slab->end - slab->left - slab->size;
}

void *slab_alloc(struct slab *slab)
{
	void *object;

	lock_assert_held();
	settle(slab);
	object = slab->free;
	if (!object)
		return fresh(slab);
	slab->free = *(void **)object;
	return memset(object, 0, slab->size);
}

void slab_free(struct slab *slab, void *object)
{
	lock_assert_held();
	settle(slab);
	*(void **)object = slab->free;
	slab->free = object;
}
