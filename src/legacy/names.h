/* SPDX-License-Identifier: MIT */
/* What names and the descriptors behind them look like. Needs the lock. */
#ifndef LEGACY_NAMES_H
#define LEGACY_NAMES_H

#include <sys/stat.h>

#include "base/fdtab.h"
#include "legacy/view.h"

/* Under which name the host opened a container, group or stand-in. Its length; 0: it is neither. */
size_t names_native(const struct object *object, char *to, size_t size);

/*
 * True for what shares its open file with others, which natively it does not:
 * the status flags are kept in the object.
 */
bool names_keep_flags(const struct object *object);

/* stat() of a name without links that only our view has. 0 or a negative errno. */
int names_stat(const char *name, struct stat *st);

#endif
