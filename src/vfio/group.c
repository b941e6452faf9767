/* SPDX-License-Identifier: MIT */
#include "vfio/group.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stddef.h>
#include <string.h>

#include "base/event.h"
#include "base/log.h"
#include "base/rights.h"
#include "base/slab.h"
#include "base/sys.h"
#include "base/user.h"
#include "iommufd/ioas.h"
#include "pin/maps.h"
#include "pin/answer.h"
#include "uapi/vfio.h"
#include "vfio/container.h"

static struct slab groups = {.size = sizeof(struct group)};
static struct slab devices = {.size = sizeof(struct device)};
static struct group *all_groups;

static void take_fd(int fd, void *arg)
{
	*(int *)arg = fd;
}

/* A descriptor of the group's open file: the group's own or a device's. */
static int fd_of(const struct group *group)
{
	int fd = -1;

	fdtab_each(&group->object, take_fd, &fd);
	for (const struct device *device = group->devices; fd < 0 && device; device = device->next)
		fdtab_each(&device->object, take_fd, &fd);
	if (fd < 0 && group->received)
		fdtab_each(&group->received->object, take_fd, &fd);
	return fd;
}

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
}

static int fd_of_member(const struct member *member)
{
	return fd_of((const struct group *)((const char *)member - offsetof(struct group, member)));
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
	group->object.kind = FD_GROUP;
	group->object.release = release_group;
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
 * vfio_device_remove_group() in drivers/vfio/group.c: the device was taken from its
 * driver while it was closed. Another one may come by its index, or the same again.
 */
static bool is_gone(struct group *group)
{
	int fd = fd_of(group);

	if (group->is_gone || group->is_open || cdev_identity(group->cdev.index) == group->identity)
		return group->is_gone;
	group->is_gone = true;
	guard_let_go(&group->guard);
	membership_part(&group->member);
	cdev_lock(fd, group->cdev.index, CDEV_LOCK_GROUP, CDEV_FREE);
	return true;
}

/* Opens what stands for the group, or -EBUSY. */
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
	/* Where the kernel opened its group it stays open, as the guard. */
	if (fd >= 0) {
		int dup = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);

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

static void release_device(struct object *object);

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

/* True when the device is bound: an unbound cdev refuses every device ioctl. */
static bool is_bound(int fd)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	return !sys_ioctl(fd, VFIO_DEVICE_GET_INFO, &info);
}

static bool settle(struct group *group);

static void release_received(struct object *object)
{
	struct group *group = ((struct device *)object)->group;

	group->received = NULL;
	slab_free(&devices, object);
	settle(group);
	object_release(&group->object);
}

static struct device *received_of(struct group *group)
{
	if (group->received)
		return group->received;
	group->received = new_device(group);
	if (!group->received)
		return NULL;
	group->received->object.kind = FD_RECEIVED;
	group->received->object.release = release_received;
	object_hold(&group->object);
	return group->received;
}

struct replacement {
	int fd;
};

static void replace(int fd, void *arg)
{
	const struct replacement *with = arg;
	long flags = sys_fcntl(fd, F_GETFD, 0);

	sys_dup3(with->fd, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

/* All of the group's descriptors are of the file under fd from now on. */
static void use_file(struct group *group, int fd)
{
	struct replacement with = {.fd = fd};

	fdtab_each(&group->object, replace, &with);
	object_identify(&group->object, fd);
}

/*
 * The device is bound in the cdev under fd. What stood for the group is kept, as
 * far as there is a number for it.
 */
static void use_cdev(struct group *group, int fd)
{
	int placeholder = (int)sys_fcntl(fd_of(group), F_DUPFD_CLOEXEC, 0);

	if (placeholder >= 0)
		hidden_take(&group->placeholder, placeholder);
	use_file(group, fd);
}

/* Notes it in the placeholder, too, which others may have in their groups. */
static void set_user(struct group *group, bool uses)
{
	cdev_set_user(fd_of(group), group->cdev.index, uses);
	if (hidden_check(&group->placeholder))
		cdev_set_user(group->placeholder.fd, group->cdev.index, uses);
}

/* The device's index, and what stands under fd: its cdev or its placeholder. */
static bool is_of_group(int fd, struct cdev *cdev)
{
	unsigned int index;

	if (view_is_cdev(fd, cdev))
		return true;
	return view_is_iommufd(fd) && cdev_is_placeholder(fd, &index) && !cdev_get(index, cdev);
}

/* All descriptors of the group are to be of the file of one that came. */
static void settle_file(struct group *group, int fd)
{
	struct stat st;

	if (!fdtab_has(&group->object) || sys_fstat(fd, &st) || st.st_ino == group->object.ino)
		return;
	if (view_is_iommufd(fd))
		replace(fd, &(struct replacement){fd_of(group)});
	else
		use_cdev(group, fd);
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
		/* What the process had open before exec() shows anew. */
		cdev_set_user(fd, cdev.index, false);
	}
	object_hold(&group->object);
	settle_file(group, fd);
	object_identify(&group->object, fd);
	object = locks & CDEV_BIT(CDEV_LOCK_DEVICE) ? (struct object *)received_of(group)
						    : &group->object;
	ret = object ? fdtab_install(fd, object) : -ENOMEM;
	object_release(&group->object);
	return ret ? NULL : object;
}

static bool is_group_ioctl(unsigned int cmd)
{
	return cmd >= VFIO_GROUP_GET_STATUS && cmd <= VFIO_GROUP_GET_DEVICE_FD;
}

/* Enters fd as an open file of the device's, which holds its group. */
static struct device *install_device(struct group *group, int fd)
{
	struct device *device = new_device(group);
	int ret;

	if (!device)
		return NULL;
	device->next = group->devices;
	group->devices = device;
	object_hold(&group->object);
	object_hold(&device->object);
	set_user(group, true);
	ret = fdtab_install(fd, &device->object);
	object_release(&device->object);
	return ret ? NULL : device;
}

struct object *group_resolve(int fd, struct object *received, unsigned int cmd)
{
	struct group *group = ((struct device *)received)->group;
	struct device *newest = group->devices;

	if (is_group_ioctl(cmd))
		return fdtab_install(fd, &group->object) ? NULL : &group->object;
	if (newest)
		return fdtab_install(fd, &newest->object) ? NULL : &newest->object;
	group->is_open = true;
	return (struct object *)install_device(group, fd);
}

/* ---- the device ---- */

/*
 * The last descriptor of the device is gone while the group stays: its placeholder
 * comes back, and with the cdev's last descriptor the kernel closes the device. A
 * mapped BAR keeps a device open, natively too. False: there is no placeholder.
 */
static bool use_placeholder(struct group *group)
{
	unsigned int index = group->cdev.index;
	int fd = hidden_check(&group->placeholder)
			 ? (int)sys_fcntl(group->placeholder.fd, F_DUPFD_CLOEXEC, 0)
			 : sys_open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	cdev_lock(fd, index, CDEV_LOCK_GROUP, CDEV_EXCLUSIVE);
	membership_mark(&group->member, fd);
	use_file(group, fd);
	sys_close(fd);
	hidden_close(&group->placeholder);
	guard_hold(&group->guard);
	return true;
}

static void clear_master(int fd)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command;

	if (sys_ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &config))
		return;
	config.offset += PCI_COMMAND;
	if (sys_pread(fd, &command, sizeof(command), (off_t)config.offset) != sizeof(command))
		return;
	command &= (uint16_t)~PCI_COMMAND_MASTER;
	sys_pwrite(fd, &command, sizeof(command), (off_t)config.offset);
}

/* What is left of a close where the open file stays: vfio_pci_core_disable() */
static void quiesce(int fd)
{
	struct vfio_irq_set none = {
		.argsz = sizeof(none),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
	};

	clear_master(fd);
	for (none.index = 0; none.index < VFIO_PCI_NUM_IRQS; none.index++)
		sys_ioctl(fd, VFIO_DEVICE_SET_IRQS, &none);
	sys_ioctl(fd, VFIO_DEVICE_RESET, NULL);
}

/*
 * Closes the device of a group, which stays. Bound in an open file that another
 * process has too, it could not be bound in another.
 */
static void close_device(struct group *group)
{
	int fd = fd_of(group);
	bool passed = cdev_locks_of(fd, group->cdev.index) & CDEV_BIT(CDEV_LOCK_PASSED);

	if ((passed && cdev_is_elsewhere(group->cdev.index)) || !use_placeholder(group)) {
		quiesce(fd);
		cdev_lock(fd, group->cdev.index, CDEV_LOCK_DEVICE, CDEV_FREE);
	}
}

/* Closes a device that nothing refers to any more. False when something does. */
static bool settle(struct group *group)
{
	if (group->devices || group->received)
		return false;
	if (cdev_is_used_elsewhere(fd_of(group), group->cdev.index))
		return false;
	if (!group->is_open)
		return true;
	if (maps_has_file(group->object.dev, group->object.ino))
		return false;
	group->is_open = false;
	if (fdtab_has(&group->object))
		close_device(group);
	return true;
}

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
		set_user(group, false);
		settle(group);
	}
	/* It held its group, as in the kernel. */
	object_release(&group->object);
}

static int parse_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#define UUID_STRING_LEN 36

/* lib/uuid.c: 8-4-4-4-12 digits; what follows is not looked at. */
static bool parse_uuid(const char *text, unsigned char uuid[16])
{
	int n = 0;

	for (int i = 0; i < UUID_STRING_LEN; i++) {
		int digit = parse_hex(text[i]);

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return false;
			continue;
		}
		if (digit < 0)
			return false;
		uuid[n / 2] = (unsigned char)(n % 2 ? uuid[n / 2] | digit : digit << 4);
		n++;
	}
	return true;
}

/*
 * vfio_pci_core_match() in drivers/vfio/pci/vfio_pci_core.c: the device's
 * name, and behind it " vf_token=UUID". 0, -ENODEV, or -EINVAL.
 */
static int match(const char *name, const char *text, unsigned char uuid[16], bool *has_token)
{
	static const char option[] = "vf_token=";
	size_t len = strlen(name);

	*has_token = false;
	if (strncmp(text, name, len) || (text[len] && text[len] != ' '))
		return -ENODEV;
	for (text += len; *text;) {
		if (*text == ' ') {
			text++;
			continue;
		}
		if (*has_token || strncmp(text, option, strlen(option)))
			return -EINVAL;
		text += strlen(option);
		if (strlen(text) < UUID_STRING_LEN || !parse_uuid(text, uuid))
			return -EINVAL;
		*has_token = true;
		text += UUID_STRING_LEN;
	}
	return 0;
}

static bool has_attribute(const struct cdev *cdev, const char *name)
{
	struct stat st;
	char path[320];

	format(path, sizeof(path), "/sys%s/%s", cdev->sysfs, name);
	return !sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
}

/* vfio_pci_validate_vf_token(): a token is for physical and virtual functions only. */
static bool takes_token(const struct cdev *cdev)
{
	return has_attribute(cdev, "sriov_totalvfs") || has_attribute(cdev, "physfn");
}

static int complain(const struct group *group, int error, bool token)
{
	const char *why = "";

	if (error == -EINVAL || error == -EBUSY)
		why = ": another process has it open";
	if (error == -EACCES || error == -EPERM)
		why = ": this process may no longer open its node in /dev/vfio/devices";
	if (token && (error == -EINVAL || error == -EACCES))
		log_info("%s does not take the VF token (%e)", group->cdev.name, error);
	else
		log_error("cannot open %s (%e)%s", group->cdev.name, error, why);
	/* A second open of a cdev is EINVAL; of a group's device it would be this. */
	return error == -EINVAL && !token ? -EBUSY : error;
}

/*
 * Binds the device in a fresh cdev, which the group uses from then on. Returns its
 * descriptor, of which the number is the lowest that is free.
 */
static int bind_device(struct group *group, const unsigned char *token)
{
	unsigned int index = group->cdev.index;
	int fd = cdev_open(index);
	int ret;

	if (fd < 0)
		return complain(group, fd, false);
	guard_let_go(&group->guard);
	/* The device may be lending its page table to somebody at this moment. */
	cdev_wait_lending(index);
	ret = cdev_lock(fd, index, CDEV_LOCK_GROUP, CDEV_EXCLUSIVE) ? -EBUSY
								    : ioas_attach(fd, token);
	event_attach(group->cdev.name, false, ret);
	if (ret) {
		sys_close(fd);
		guard_hold(&group->guard);
		return complain(group, ret, token);
	}
	membership_mark(&group->member, fd);
	use_cdev(group, fd);
	return fd;
}

bool group_is_bound(const struct group *group)
{
	return is_bound(fd_of(group));
}

int group_bind(struct group *group)
{
	int fd = bind_device(group, NULL);

	if (fd >= 0)
		sys_close(fd);
	return fd < 0 ? fd : 0;
}

void group_unbind(struct group *group)
{
	if (group_is_bound(group))
		close_device(group);
}

/* Opens the device. Returns a descriptor of it, which is not entered yet. */
static int open_device(struct group *group, int fd, const unsigned char *token)
{
	/* A related process may have opened it, in the open file that is ours too. */
	bool bound = is_bound(fd);
	int ret, new = bound ? (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, 0) : bind_device(group, token);

	if (new < 0 || group->is_open)
		return new;
	ret = answer_settle();
	if (ret) {
		sys_close(new);
		group_unbind(group);
		return ret;
	}
	group->is_open = true;
	cdev_lock(new, group->cdev.index, CDEV_LOCK_DEVICE, CDEV_EXCLUSIVE);
	return new;
}

static int get_device_fd(struct group *group, int fd, const char *arg)
{
	const struct member_state *state = group->member.state;
	unsigned char uuid[16];
	char name[4096];
	bool has_token;
	int ret, new;

	ret = user_read_string(name, sizeof(name), arg);
	if (ret < 0)
		return ret;
	if (cdev_identity(group->cdev.index) != group->identity)
		return -ENODEV;
	ret = match(group->cdev.name, name, uuid, &has_token);
	if (ret)
		return ret;
	if (has_token && !takes_token(&group->cdev))
		return -EINVAL;
	if (!state->container || !membership_has_iommu(state->container))
		return -EINVAL;
	/* Asked for when the device is opened first: vfio_group_use_container() */
	if (!group->is_open && !cdev_is_used_elsewhere(fd, group->cdev.index) &&
	    !rights_sys_rawio())
		return -EPERM;
	new = open_device(group, fd, has_token ? uuid : NULL);
	if (new < 0)
		return new;
	if (install_device(group, new))
		return new;
	sys_close(new);
	settle(group);
	return -ENOMEM;
}

/* ---- the group ---- */

static long get_status(const struct group *group, void *arg)
{
	struct vfio_group_status status;
	size_t size = sizeof(status);

	if (user_read(&status, arg, size))
		return -EFAULT;
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
 * The kernel's own container: it had real groups. While it has, no-IOMMU groups
 * cannot join it: vfio_container_attach_group(). Without any it speaks for all
 * of the kernel's drivers, and can be one of ours again.
 */
static int take_over(int fd)
{
	struct view view;
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
	int fd, ret;

	if (user_read(&fd, arg, sizeof(fd)))
		return -EFAULT;
	object = fdtab_get(fd);
	flags = sys_fcntl(fd, F_GETFL, 0);
	if (flags < 0 || flags & O_PATH || (object && object->kind == FD_HIDDEN))
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
	if (object->kind != FD_CONTAINER)
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
	if (!settle(group))
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

	if (object && object->kind == FD_RECEIVED && kind != FD_RECEIVED)
		group_resolve(fd, object, kind == FD_GROUP ? VFIO_GROUP_GET_STATUS : 0);
}

void group_before_fork(void)
{
	for (struct group *group = all_groups; group; group = group->next) {
		guard_let_go(&group->guard);
		cdev_lock(fd_of(group), group->cdev.index, CDEV_LOCK_PASSED, CDEV_SHARED);
	}
}

void group_after_fork_in_child(void)
{
	for (struct group *group = all_groups; group; group = group->next)
		if (group->devices)
			set_user(group, true);
}

long group_ioctl(struct group *group, int fd, unsigned int cmd, unsigned long arg)
{
	if (!is_gone(group))
		membership_note(fd, group->cdev.index);
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
