/* SPDX-License-Identifier: MIT */
/*
 * /proc/self/pagemap. The descriptor is the real one and so is every entry,
 * but for the frame number: that is of a page which was pinned before the
 * read returned. Needs the lock.
 */
#ifndef PIN_PAGEMAP_H
#define PIN_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/fdtab.h"

/* Every pagemap looks like this, and hardly another file. Needs no lock. */
static inline bool pagemap_is_like(const struct stat *st)
{
	return st->st_mode == (S_IFREG | S_IRUSR) && !st->st_size;
}

/*
 * Enters fd if it is the pagemap of this process. 0, also when it is not, or a
 * negative errno: then it must not be used, for what it says would not hold.
 */
int pagemap_opened(int fd);

/* The same of a descriptor that another process opened, or this one before an exec(). */
int pagemap_arrived(int fd);

/* A pagemap was opened on the cdev path. Needs no lock. */
extern _Atomic(bool) pagemap_served __attribute__((visibility("hidden")));

/* True when lookups through object, which may be NULL, are answered from here. */
bool pagemap_is_served(struct object *object);

#endif
