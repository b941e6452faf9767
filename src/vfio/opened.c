/* SPDX-License-Identifier: MIT */
#include "vfio/opened.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/slab.h"
#include "uapi/vfio.h"
#include "vfio/device.h"
#include "vfio/hotreset.h"
#include "vfio/inherited.h"

static struct slab devices = {.size = sizeof(struct device)};
static const struct object_operations device_operations, received_operations;

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
	/* A device holds its group, as in the kernel. */
	object_release(&group->object);
}

static struct device *new_device(struct group *group)
{
	struct device *device = slab_alloc(&devices);

	if (!device)
		return NULL;
	device->object = group->object;
	device->object.ops = &device_operations;
	device->object.refs = 0;
	device->object.flags = O_RDWR;
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
	group->received->object.ops = &received_operations;
	object_hold(&group->object);
	return &group->received->object;
}

struct device *opened_install(struct group *group, int fd)
{
	struct device *device = new_device(group);

	if (!device)
		return NULL;
	device->next = group->devices;
	group->devices = device;
	object_hold(&group->object);
	device_set_user(group, true);
	return fdtab_install(fd, &device->object) ? NULL : device;
}

static bool is_group_ioctl(unsigned int cmd)
{
	return cmd >= VFIO_GROUP_GET_STATUS && cmd <= VFIO_GROUP_GET_DEVICE_FD;
}

static struct object *resolve(struct object *received, int fd, unsigned int cmd)
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

static bool device_ioctl(struct object *object, int fd, unsigned int cmd, unsigned long arg,
			 long *ret)
{
	(void)object;
	inherited_used();
	switch (cmd) {
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		*ret = hotreset_get_info(fd, (void *)arg);
		return true;
	case VFIO_DEVICE_PCI_HOT_RESET:
		*ret = hotreset_reset(fd, (void *)arg);
		return true;
	/*
	 * These only apply to a device that was opened by its cdev:
	 * vfio_device_fops_unl_ioctl().
	 */
	case VFIO_DEVICE_BIND_IOMMUFD:
		*ret = -EINVAL;
		return true;
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
	case VFIO_DEVICE_DETACH_IOMMUFD_PT:
		*ret = -ENOTTY;
		return true;
	default:
		return false;
	}
}

static size_t device_name(const struct object *object, char *to, size_t size)
{
	(void)object;
	return format(to, size, VIEW_DEVICE);
}

static const struct object_operations device_operations = {
	.kind = FD_DEVICE,
	.traced = TRACE_DEVICE,
	.is_vfio = true,
	.own_flags = ~0,
	.release = release_device,
	.ioctl = device_ioctl,
	.name = device_name,
};

/* For FD_RECEIVED, until its first ioctl. */
static const struct object_operations received_operations = {
	.kind = FD_RECEIVED,
	.traced = TRACE_DEVICE,
	.is_vfio = true,
	.own_flags = ~0,
	.release = release_received,
	.resolve = resolve,
	.name = device_name,
};
