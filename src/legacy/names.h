/* SPDX-License-Identifier: MIT */
/* What names and the descriptors behind them look like. Needs the lock. */
#ifndef LEGACY_NAMES_H
#define LEGACY_NAMES_H

#include <sys/stat.h>

#include "base/fdtab.h"
#include "legacy/view.h"

/*
 * What the link in /proc/self/fd of a container, group, device or stand-in reads
 * natively: where it is a name, the one that the host opened it under. Its
 * length; 0: it is none of these.
 */
#define NAMES_OF_DEVICE "anon_inode:[vfio-device]"
size_t names_native(const struct object *object, char *to, size_t size);

/* True for a device and for what stands for one without opening it: no name leads there. */
bool names_is_nameless(const struct object *object);

/*
 * True for what shares its open file with others, which natively it does not:
 * the status flags are kept in the object.
 */
bool names_keep_flags(const struct object *object);

/* stat() of a name without links that only our view has. 0 or a negative errno. */
int names_stat(const char *name, struct stat *st);

#endif
