/* SPDX-License-Identifier: MIT */
#include "door/native.h"

#include "base/log.h"
#include "tree/standin.h"
#include "vfio/group.h"

static bool is_device(const struct object *object)
{
	return object->kind == FD_DEVICE || object->kind == FD_RECEIVED;
}

size_t native_name(const struct object *object, char *to, size_t size)
{
	if (object->kind == FD_STANDIN)
		return format(to, size, "%s", ((const struct standin *)object)->view.path);
	if (object->kind == FD_CONTAINER)
		return format(to, size, "/dev/vfio/vfio");
	if (object->kind == FD_GROUP)
		return format(to, size, "/dev/vfio/noiommu-%u",
			      view_group_of(&((const struct group *)object)->cdev));
	if (is_device(object))
		return format(to, size, NATIVE_DEVICE);
	return 0;
}

bool native_is_nameless(const struct object *object)
{
	return is_device(object) || (object->kind == FD_STANDIN &&
				     ((const struct standin *)object)->view.kind == VIEW_NAMELESS);
}

bool native_keeps_flags(const struct object *object)
{
	return object->kind == FD_CONTAINER || is_device(object);
}
