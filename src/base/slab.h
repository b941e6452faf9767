/* SPDX-License-Identifier: MIT */
/*
 * Objects of one size, from memory of our own: the host may be inside its
 * malloc() when it calls us. Memory that was freed is used again and never
 * given back; there are as many objects as descriptors of ours at a time.
 *
 * Needs the lock. Async-signal-safe with it.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slab {
	size_t size; /* of one object, in bytes, at least a pointer */
	void *free;
	char *end;   /* of the last piece of memory that was had */
	size_t left; /* bytes there that were never an object */
	unsigned int epoch;
};

/* Zeroed, or NULL when there is no memory. */
void *slab_alloc(struct slab *slab);
void slab_free(struct slab *slab, void *object);

/* Every slab begins anew: objects that there are stay, and may be damaged. */
void slab_abandon(void);

#endif
