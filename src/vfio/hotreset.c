/* SPDX-License-Identifier: MIT */
/* Follows drivers/vfio/pci/vfio_pci_core.c, as it does for groups. */
#include "vfio/hotreset.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"
#include "base/user.h"
#include "vfio/device.h"
#include "uapi/vfio.h"

/* All functions of all slots on a bus. */
#define MAX_DEVICES 256

#define DEVICE_SIZE sizeof(struct vfio_pci_dependent_device)

/*
 * The members of struct vfio_pci_hot_reset_info and struct vfio_pci_hot_reset before
 * their arrays.
 */
struct header {
	uint32_t argsz;
	uint32_t flags;
	uint32_t count;
};

struct affected {
	struct header info;
	struct vfio_pci_dependent_device devices[MAX_DEVICES];
};

/* Asks for the devices that a reset affects, at most max. */
static int ask(int fd, struct affected *affected, unsigned int max)
{
	if (max > MAX_DEVICES)
		max = MAX_DEVICES;
	memset(&affected->info, 0, sizeof(affected->info));
	affected->info.argsz = (uint32_t)(sizeof(affected->info) + max * DEVICE_SIZE);
	return sys_ioctl(fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, affected);
}

struct wanted {
	char name[32];
	struct cdev cdev;
};

static int has_name(const struct cdev *cdev, void *arg)
{
	struct wanted *wanted = arg;

	if (strcmp(cdev->name, wanted->name))
		return 0;
	wanted->cdev = *cdev;
	return 1;
}

static void put_hex(char *to, unsigned int value, int digits)
{
	for (to += digits; digits--; value >>= 4)
		*--to = "0123456789abcdef"[value & 15];
}

/* False: it is not a VFIO device. */
static bool find_device(const struct vfio_pci_dependent_device *device, struct cdev *cdev)
{
	struct wanted wanted = {.name = "ssss:bb:dd.f"};

	put_hex(wanted.name, device->segment, 4);
	put_hex(wanted.name + 5, device->bus, 2);
	put_hex(wanted.name + 8, device->devfn >> 3U, 2);
	put_hex(wanted.name + 11, device->devfn & 7, 1);
	if (cdev_each(has_name, &wanted) != 1)
		return false;
	*cdev = wanted.cdev;
	return true;
}

long hotreset_get_info(int fd, void *arg)
{
	struct header header;
	static struct affected affected;
	struct cdev cdev;
	int copied = 0;
	int ret = user_read(&header, arg, sizeof(header));

	if (ret)
		return ret;
	if (header.argsz < sizeof(header))
		return -EINVAL;
	ret = ask(fd, &affected, (unsigned int)((header.argsz - sizeof(header)) / DEVICE_SIZE));
	if (ret && ret != -ENOSPC)
		return ret;
	header.flags = 0;
	header.count = affected.info.count;
	for (unsigned int i = 0; !ret && i < header.count; i++) {
		if (!find_device(&affected.devices[i], &cdev))
			return -EPERM;
		affected.devices[i].group_id = view_group_of(&cdev);
	}
	if (!ret)
		copied = user_write((char *)arg + sizeof(header), affected.devices,
				    header.count * DEVICE_SIZE);
	if (!copied)
		copied = user_write(arg, &header, sizeof(header));
	return copied ? copied : ret;
}

/* The group among fds that contains the device, or NULL. */
static struct group *owner(const struct vfio_pci_dependent_device *device, const int32_t *fds,
			   unsigned int count)
{
	struct cdev cdev;

	if (!find_device(device, &cdev))
		return NULL;
	for (unsigned int i = 0; i < count; i++) {
		struct group *group = (struct group *)fdtab_get(fds[i]);

		if (group->cdev.index == cdev.index)
			return group;
	}
	return NULL;
}

static int check_groups(const int32_t *fds, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct object *object = fdtab_get(fds[i]);

		if (sys_fcntl(fds[i], F_GETFD, 0) < 0 || object_kind(object) == FD_HIDDEN)
			return -EBADF;
		if (object_kind(object) != FD_GROUP)
			return -EINVAL;
	}
	return 0;
}

/*
 * The kernel resets the bus of a cdev if every device on it is bound to the same iommufd.
 * On the group path the program only has to pass every group. Devices that are not open
 * are therefore bound for the reset.
 */
static int reset_bound(int fd, const struct affected *affected, const int32_t *fds,
		       unsigned int count)
{
	struct header reset = {.argsz = sizeof(reset)};
	static struct group *bound[MAX_DEVICES];
	unsigned int n = 0;
	int ret = 0;

	for (unsigned int i = 0; !ret && i < affected->info.count; i++) {
		struct group *group = owner(&affected->devices[i], fds, count);

		if (!group)
			ret = -EINVAL;
		else if (!device_is_bound(group))
			ret = device_bind(bound[n++] = group);
	}
	if (!ret)
		ret = sys_ioctl(fd, VFIO_DEVICE_PCI_HOT_RESET, &reset);
	while (n)
		device_unbind(bound[--n]);
	return ret;
}

long hotreset_reset(int fd, void *arg)
{
	struct header header;
	static struct affected affected;
	static int32_t fds[MAX_DEVICES];
	int ret = user_read(&header, arg, sizeof(header));

	if (ret)
		return ret;
	if (header.argsz < sizeof(header) || header.flags || !header.count)
		return -EINVAL;
	ret = ask(fd, &affected, MAX_DEVICES);
	if (ret)
		return ret;
	if (header.count > affected.info.count)
		return -EINVAL;
	ret = user_read(fds, (char *)arg + sizeof(header), header.count * sizeof(*fds));
	if (!ret)
		ret = check_groups(fds, header.count);
	return ret ? ret : reset_bound(fd, &affected, fds, header.count);
}
