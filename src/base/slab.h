/* SPDX-License-Identifier: MIT */
/*
 * Objects of one size, without malloc(): the program may be inside its own malloc() when
 * it calls the library. Freed objects are reused, and never returned to the kernel; there
 * are about as many objects as descriptors in the table.
 *
 * Needs the lock. Async-signal-safe with it.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slab {
	size_t size; /* of one object, in bytes; not less than a pointer */
	void *free;
	char *end;   /* of the newest chunk */
	size_t left; /* bytes of it that are still unused */
	unsigned int epoch;
};

/* Returns a zeroed object, or NULL when there is no memory. */
void *slab_alloc(struct slab *slab);
void slab_free(struct slab *slab, void *object);

/* Resets every slab. Existing objects stay in memory, for they may be damaged. */
void slab_abandon(void);

#endif
