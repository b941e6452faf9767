/* SPDX-License-Identifier: MIT */
#include "vfio/group.h"

#include <errno.h>
#include <stddef.h>

#include "base/limit.h"
#include "base/log.h"
#include "base/rights.h"
#include "base/slab.h"
#include "base/sys.h"
#include "base/user.h"
#include "uapi/vfio.h"
#include "vfio/container.h"
#include "vfio/device.h"
#include "vfio/inherited.h"
#include "vfio/match.h"
#include "vfio/opened.h"

static struct slab groups = {.size = sizeof(struct group)};
static struct group *all_groups;
static const struct object_operations operations;

static struct group *find_group(unsigned int index)
{
	struct group *group = all_groups;

	while (group && (group->cdev.index != index || group->is_gone))
		group = group->next;
	return group;
}

static void release_group(struct object *object)
{
	struct group *group = (struct group *)object;
	struct group **at = &all_groups;

	while (*at != group)
		at = &(*at)->next;
	*at = group->next;
	guard_remove(&group->guard);
	hidden_close(&group->placeholder);
	membership_remove(&group->member);
	slab_free(&groups, group);
	inherited_settle();
}

static int fd_of_member(const struct member *member)
{
	return device_file(
		(const struct group *)((const char *)member - offsetof(struct group, member)));
}

static struct group *new_group(const struct cdev *cdev)
{
	struct group *group = slab_alloc(&groups);

	if (!group)
		return NULL;
	group->member.index = cdev->index;
	group->member.fd = fd_of_member;
	if (!membership_add(&group->member)) {
		slab_free(&groups, group);
		return NULL;
	}
	group->object.ops = &operations;
	group->object.flags = object_file_flags(O_RDWR);
	group->cdev = *cdev;
	group->identity = cdev_identity(cdev->index);
	group->placeholder = (struct hidden)HIDDEN_NONE;
	guard_add(&group->guard, view_kernel_has_group(cdev) ? view_group_of(cdev) : GUARD_NONE);
	group->next = all_groups;
	all_groups = group;
	return group;
}

/*
 * vfio_device_remove_group() in drivers/vfio/group.c: the device was unbound from its
 * driver while it was closed. Another device, or the same one again, can get its index.
 */
static bool is_gone(struct group *group)
{
	int fd = device_file(group);

	if (group->is_gone || group->is_open || cdev_identity(group->cdev.index) == group->identity)
		return group->is_gone;
	group->is_gone = true;
	guard_let_go(&group->guard);
	membership_part(&group->member);
	cdev_lock(fd, group->cdev.index, CDEV_LOCK_GROUP, CDEV_FREE);
	return true;
}

/* Opens the placeholder. -EBUSY: the group is open. */
static int open_held(const struct cdev *cdev)
{
	struct group *group = find_group(cdev->index);

	if (group)
		is_gone(group);
	return cdev_open_placeholder(cdev->index);
}

int group_refuse(const struct cdev *cdev)
{
	int fd = open_held(cdev);

	if (fd < 0)
		return fd;
	sys_close(fd);
	return -EINVAL;
}

void group_say_refused(const struct cdev *cdev, int error)
{
	const char *why = "";

	if (error == -EPERM)
		why = ": no-IOMMU devices need CAP_SYS_RAWIO";
	else if (error == -EACCES)
		why = ": run as root, or give this user the node";
	else if (error == -EBUSY)
		why = ": it is open already";
	log_error("cannot open the group of %s, /dev/vfio/devices/noiommu-vfio%u (%e)%s",
		  cdev->name, cdev->index, error, why);
}

int group_open(const struct view *view, int fd, int flags)
{
	struct group *group;
	int cdev = open_held(&view->cdev);
	int at, ret;

	if (cdev < 0) {
		group_say_refused(&view->cdev, cdev);
		return cdev;
	}
	group = new_group(&view->cdev);
	if (!group) {
		sys_close(cdev);
		return -ENOMEM;
	}
	group->object.flags = object_file_flags(flags);
	membership_begin(&group->member);
	/* If the kernel opened its own group, that file becomes the guard. */
	if (fd >= 0) {
		int dup = limit_dup(fd);

		if (dup >= 0)
			guard_take(&group->guard, dup);
		at = sys_dup3(cdev, fd, flags & O_CLOEXEC);
	} else {
		at = (int)sys_fcntl(cdev, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	}
	sys_fcntl(cdev, F_SETFL, flags & (O_APPEND | O_NONBLOCK | O_NOATIME | O_ASYNC));
	sys_close(cdev);
	object_hold(&group->object);
	ret = at;
	if (at >= 0) {
		object_identify(&group->object, at);
		ret = fdtab_install(at, &group->object);
	}
	object_release(&group->object);
	return ret ? ret : at;
}

/* True when fd is the cdev or placeholder of a device, which *cdev describes then. */
static bool is_of_group(int fd, struct cdev *cdev)
{
	unsigned int index;

	if (view_is_cdev(fd, cdev))
		return true;
	return view_is_iommufd(fd) && cdev_is_placeholder(fd, &index) && !cdev_get(index, cdev);
}

struct object *group_adopt(int fd)
{
	struct group *group;
	struct object *object;
	struct cdev cdev;
	unsigned int locks;
	int ret;

	locks = is_of_group(fd, &cdev) ? membership_note(fd, cdev.index) : 0;
	if (!locks)
		return NULL;
	group = find_group(cdev.index);
	if (!group) {
		group = new_group(&cdev);
		if (!group)
			return NULL;
		cdev_lock(fd, cdev.index, CDEV_LOCK_PASSED, CDEV_SHARED);
		/* Whatever the process had open before exec() is recorded again as it is found. */
		cdev_set_user(fd, cdev.index, false);
	}
	object_hold(&group->object);
	device_settle_file(group, fd);
	object_identify(&group->object, fd);
	object = locks & CDEV_BIT(CDEV_LOCK_DEVICE) ? opened_received(group) : &group->object;
	ret = object ? fdtab_install(fd, object) : -ENOMEM;
	object_release(&group->object);
	return ret ? NULL : object;
}

static int get_device_fd(struct group *group, int fd, const char *arg)
{
	const struct member_state *state = group->member.state;
	unsigned char uuid[16];
	static char name[4096];
	bool has_token;
	int ret, new;

	ret = user_read_string(name, sizeof(name), arg);
	if (ret < 0)
		return ret;
	if (cdev_identity(group->cdev.index) != group->identity)
		return -ENODEV;
	ret = match_device(group->cdev.name, name, uuid, &has_token);
	if (ret)
		return ret;
	if (has_token && !match_takes_token(&group->cdev))
		return -EINVAL;
	if (!state->container || !membership_has_iommu(state->container))
		return -EINVAL;
	/* Checked at the first open of the device only: vfio_group_use_container(). */
	if (!group->is_open && cdev_is_used_elsewhere(fd, group->cdev.index) <= 0 &&
	    !rights_sys_rawio())
		return -EPERM;
	new = device_open(group, fd, has_token ? uuid : NULL);
	if (new < 0)
		return new;
	if (opened_install(group, new))
		return new;
	sys_close(new);
	device_settle(group);
	return -ENOMEM;
}

static long get_status(const struct group *group, void *arg)
{
	struct vfio_group_status status;
	size_t size = sizeof(status);
	int ret = user_read(&status, arg, size);

	if (ret)
		return ret;
	if (status.argsz < size)
		return -EINVAL;
	if (group->is_gone)
		return -ENODEV;
	status.flags = VFIO_GROUP_FLAGS_VIABLE;
	if (group->member.state->container)
		status.flags |= VFIO_GROUP_FLAGS_CONTAINER_SET;
	return user_write(arg, &status, size);
}

/*
 * fd is the kernel's own container, as it had groups with an IOMMU. While it has any,
 * no-IOMMU groups cannot join it: vfio_container_attach_group(). Without any it answers
 * for all IOMMU drivers of the kernel, and becomes the library's again.
 */
static int take_over(int fd)
{
	static struct view view;
	long flags;
	int ret;

	view_identify(fd, &view);
	if (view.kind != VIEW_CONTAINER)
		return -EBADFD;
	if (sys_ioctl(fd, VFIO_CHECK_EXTENSION, (void *)VFIO_NOIOMMU_IOMMU) != 1)
		return -EPERM;
	flags = sys_fcntl(fd, F_GETFL, 0);
	if (sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC)
		flags |= O_CLOEXEC;
	ret = container_open(fd, (int)flags);
	return ret < 0 ? ret : 0;
}

static long set_container(struct group *group, int group_fd, const void *arg)
{
	const struct container *container;
	struct object *object;
	long flags;
	int fd, ret = user_read(&fd, arg, sizeof(fd));

	if (ret)
		return ret;
	object = fdtab_get(fd);
	flags = sys_fcntl(fd, F_GETFL, 0);
	if (flags < 0 || flags & O_PATH || object_kind(object) == FD_HIDDEN)
		return -EBADF;
	if (group->member.state->container)
		return -EINVAL;
	if (group->is_gone)
		return -ENODEV;
	if (!object)
		object = (struct object *)container_adopt(fd);
	if (!object) {
		ret = take_over(fd);
		if (ret)
			return ret;
		object = fdtab_get(fd);
	}
	if (object_kind(object) != FD_CONTAINER)
		return -EBADFD;
	if (!rights_sys_rawio())
		return -EPERM;
	container = (struct container *)object;
	membership_join(&group->member, group_fd, container->number);
	return 0;
}

static long unset_container(struct group *group, int fd)
{
	if (!group->member.state->container)
		return -EINVAL;
	if (!device_settle(group))
		return -EBUSY;
	membership_leave(&group->member, fd);
	return 0;
}

void group_abandon(void)
{
	all_groups = NULL;
	guard_abandon();
	membership_abandon();
}

void group_arrived_as(int fd, enum fd_kind kind)
{
	struct object *object = group_adopt(fd);

	if (object && object->ops->resolve && kind != FD_RECEIVED)
		object->ops->resolve(object, fd, kind == FD_GROUP ? VFIO_GROUP_GET_STATUS : 0);
}

void group_before_fork(void)
{
	for (struct group *group = all_groups; group; group = group->next) {
		guard_let_go(&group->guard);
		cdev_lock(device_file(group), group->cdev.index, CDEV_LOCK_PASSED, CDEV_SHARED);
	}
}

void group_after_fork_in_child(void)
{
	for (struct group *group = all_groups; group; group = group->next)
		if (group->devices)
			device_set_user(group, true);
}

static long answer(struct group *group, int fd, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case VFIO_GROUP_GET_STATUS:
		return get_status(group, (void *)arg);
	case VFIO_GROUP_SET_CONTAINER:
		return set_container(group, fd, (const void *)arg);
	case VFIO_GROUP_UNSET_CONTAINER:
		return unset_container(group, fd);
	case VFIO_GROUP_GET_DEVICE_FD:
		return get_device_fd(group, fd, (const char *)arg);
	default:
		return -ENOTTY;
	}
}

static bool group_ioctl(struct object *object, int fd, unsigned int cmd, unsigned long arg,
			long *ret)
{
	struct group *group = (struct group *)object;

	inherited_used();
	if (!is_gone(group))
		membership_note(fd, group->cdev.index);
	*ret = answer(group, fd, cmd, arg);
	return true;
}

static size_t group_name(const struct object *object, char *to, size_t size)
{
	return format(to, size, "/dev/vfio/noiommu-%u",
		      view_group_of(&((const struct group *)object)->cdev));
}

/* -EBUSY, as the group is open, unless another error comes first: vfio_group_fops_open(). */
static int group_open_again(const struct object *object, int fd, int flags)
{
	int cdev = cdev_open(((const struct group *)object)->cdev.index);

	(void)fd, (void)flags;
	if (cdev >= 0)
		sys_close(cdev);
	if (cdev == -ENOENT)
		return -ENXIO;
	return cdev >= 0 || cdev == -EINVAL ? -EBUSY : cdev;
}

static const struct object_operations operations = {
	.kind = FD_GROUP,
	.traced = TRACE_GROUP,
	.is_vfio = true,
	.own_flags = ~OBJECT_SETTABLE,
	.release = release_group,
	.ioctl = group_ioctl,
	.name = group_name,
	.open_again = group_open_again,
};
