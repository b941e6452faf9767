/* SPDX-License-Identifier: MIT */
/* What the descriptors of ours look like natively. Needs the lock. */
#ifndef DOOR_NATIVE_H
#define DOOR_NATIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fdtab.h"

/*
 * What the link in /proc/self/fd of a container, group, device or stand-in reads
 * natively: where it is a name, the one that the host opened it under. Its
 * length; 0: it is none of these.
 */
#define NATIVE_DEVICE "anon_inode:[vfio-device]"
size_t native_name(const struct object *object, char *to, size_t size);

/* True for a device and for what stands for one without opening it: no name leads there. */
bool native_is_nameless(const struct object *object);

/*
 * True for what shares its open file with others, which natively it does not:
 * the status flags are kept in the object.
 */
bool native_keeps_flags(const struct object *object);

#endif
