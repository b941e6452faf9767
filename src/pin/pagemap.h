/* SPDX-License-Identifier: MIT */
/*
 * /proc/self/pagemap. The descriptor and every entry are the kernel's, except for the
 * frame number: it is that of a page which was pinned before the read returned. Needs the
 * lock.
 */
#ifndef PIN_PAGEMAP_H
#define PIN_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/fdtab.h"

/* True for every pagemap, and for few other files. Needs no lock. */
static inline bool pagemap_is_like(const struct stat *st)
{
	return st->st_mode == (S_IFREG | S_IRUSR) && !st->st_size;
}

/*
 * Enters fd if it is the pagemap of this process. 0, also when it is not. A negative
 * errno: the program must not use fd, as addresses read from it would not stay valid.
 */
int pagemap_opened(int fd);

/* The same for a descriptor that another process opened, or this one before an exec(). */
int pagemap_arrived(int fd);

/* True when a pagemap was opened on the cdev path. Needs no lock. */
extern _Atomic(bool) pagemap_served __attribute__((visibility("hidden")));

/* True when the library answers lookups through object, which may be NULL. */
bool pagemap_is_served(struct object *object);

#endif
