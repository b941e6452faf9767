/* SPDX-License-Identifier: MIT */
/* The files of our view that are no devices. Needs the lock. */
#ifndef LEGACY_NAMES_H
#define LEGACY_NAMES_H

#include <sys/stat.h>

#include "base/fdtab.h"
#include "legacy/view.h"

/* A descriptor from which the text of a sysfs file can be read, or a negative errno. */
int names_open_text(const struct view *view, int flags);

/* Under which name the host opened a container or group. Its length; 0: it is neither. */
size_t names_native(const struct object *object, char *to, size_t size);

/* stat() of a name without links that only our view has. 0 or a negative errno. */
int names_stat(const char *name, struct stat *st);

#endif
