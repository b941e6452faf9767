/* SPDX-License-Identifier: MIT */
#include "vfio/opened.h"

#include <fcntl.h>

#include "base/slab.h"
#include "uapi/vfio.h"
#include "vfio/device.h"

static struct slab devices = {.size = sizeof(struct device)};

static void release_device(struct object *object)
{
	struct device *device = (struct device *)object;
	struct group *group = device->group;
	struct device **at = &group->devices;

	while (*at != device)
		at = &(*at)->next;
	*at = device->next;
	slab_free(&devices, device);
	if (!group->devices) {
		device_set_user(group, false);
		device_settle(group);
	}
	/* It held its group, as in the kernel. */
	object_release(&group->object);
}

static struct device *new_device(struct group *group)
{
	struct device *device = slab_alloc(&devices);

	if (!device)
		return NULL;
	device->object = group->object;
	device->object.kind = FD_DEVICE;
	device->object.refs = 0;
	device->object.flags = O_RDWR;
	device->object.release = release_device;
	device->group = group;
	return device;
}

static void release_received(struct object *object)
{
	struct group *group = ((struct device *)object)->group;

	group->received = NULL;
	slab_free(&devices, object);
	device_settle(group);
	object_release(&group->object);
}

struct object *opened_received(struct group *group)
{
	if (group->received)
		return &group->received->object;
	group->received = new_device(group);
	if (!group->received)
		return NULL;
	group->received->object.kind = FD_RECEIVED;
	group->received->object.release = release_received;
	object_hold(&group->object);
	return &group->received->object;
}

struct device *opened_install(struct group *group, int fd)
{
	struct device *device = new_device(group);
	int ret;

	if (!device)
		return NULL;
	device->next = group->devices;
	group->devices = device;
	object_hold(&group->object);
	object_hold(&device->object);
	device_set_user(group, true);
	ret = fdtab_install(fd, &device->object);
	object_release(&device->object);
	return ret ? NULL : device;
}

static bool is_group_ioctl(unsigned int cmd)
{
	return cmd >= VFIO_GROUP_GET_STATUS && cmd <= VFIO_GROUP_GET_DEVICE_FD;
}

struct object *opened_resolve(int fd, struct object *received, unsigned int cmd)
{
	struct group *group = ((struct device *)received)->group;
	struct device *newest = group->devices;

	if (is_group_ioctl(cmd))
		return fdtab_install(fd, &group->object) ? NULL : &group->object;
	if (newest)
		return fdtab_install(fd, &newest->object) ? NULL : &newest->object;
	group->is_open = true;
	return (struct object *)opened_install(group, fd);
}
