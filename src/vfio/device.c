/* SPDX-License-Identifier: MIT */
#include "vfio/device.h"

#include <errno.h>
#include <linux/pci_regs.h>

#include "base/event.h"
#include "base/limit.h"
#include "base/log.h"
#include "base/sys.h"
#include "iommufd/ioas.h"
#include "pin/answer.h"
#include "pin/maps.h"
#include "pin/renew.h"
#include "tree/view.h"
#include "uapi/vfio.h"

static void take_fd(int fd, void *arg)
{
	*(int *)arg = fd;
}

int device_file(const struct group *group)
{
	int fd = -1;

	fdtab_each(&group->object, take_fd, &fd);
	for (const struct device *device = group->devices; fd < 0 && device; device = device->next)
		fdtab_each(&device->object, take_fd, &fd);
	if (fd < 0 && group->received)
		fdtab_each(&group->received->object, take_fd, &fd);
	return fd;
}

/* An unbound cdev refuses every device ioctl. */
static bool is_bound(int fd)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	return !sys_ioctl(fd, VFIO_DEVICE_GET_INFO, &info);
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

/* Makes all of the group's descriptors refer to the open file under fd. */
static void use_file(struct group *group, int fd)
{
	struct replacement with = {.fd = fd};
	long flags = sys_fcntl(device_file(group), F_GETFL, 0);

	if (flags >= 0)
		sys_fcntl(fd, F_SETFL, flags);
	fdtab_each(&group->object, replace, &with);
	object_identify(&group->object, fd);
}

/*
 * The device is bound in the cdev under fd. Keeps the placeholder, unless there is no
 * descriptor left for it.
 */
static void use_cdev(struct group *group, int fd)
{
	int placeholder = limit_dup(device_file(group));

	if (placeholder >= 0)
		hidden_take(&group->placeholder, placeholder);
	use_file(group, fd);
}

void device_set_user(struct group *group, bool uses)
{
	cdev_set_user(device_file(group), group->cdev.index, uses);
	if (hidden_check(&group->placeholder))
		cdev_set_user(group->placeholder.fd, group->cdev.index, uses);
}

void device_settle_file(struct group *group, int fd)
{
	struct stat st;

	if (!fdtab_has(&group->object) || sys_fstat(fd, &st) || st.st_ino == group->object.ino)
		return;
	if (view_is_iommufd(fd))
		replace(fd, &(struct replacement){device_file(group)});
	else
		use_cdev(group, fd);
}

/*
 * The last descriptor of the device is closed, and the group stays: replaces the cdev by
 * the placeholder, and the kernel closes the device with the cdev's last descriptor. A
 * mapped BAR keeps the device open, as without the library. False: there is no
 * placeholder.
 */
static bool use_placeholder(struct group *group)
{
	unsigned int index = group->cdev.index;
	bool is_kept = hidden_check(&group->placeholder);
	int fd = is_kept ? group->placeholder.fd : limit_open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	cdev_lock(fd, index, CDEV_LOCK_GROUP, CDEV_EXCLUSIVE);
	membership_mark(&group->member, fd);
	use_file(group, fd);
	if (is_kept)
		hidden_close(&group->placeholder);
	else
		sys_close(fd);
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

/* Stops the device where its open file stays open, as vfio_pci_core_disable() does. */
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
 * Closes the device of a group that stays open. If another process has the open file the
 * device stays bound in it, and could not be bound in another one. Then the device is
 * only stopped.
 */
static void close_device(struct group *group)
{
	int fd = device_file(group);
	bool passed = cdev_locks_of(fd, group->cdev.index) & CDEV_BIT(CDEV_LOCK_PASSED);

	if ((passed && cdev_is_elsewhere(group->cdev.index)) || !use_placeholder(group)) {
		quiesce(fd);
		cdev_lock(fd, group->cdev.index, CDEV_LOCK_DEVICE, CDEV_FREE);
	}
}

/*
 * Another process still has the device open. Replaces this group's cdev by the
 * placeholder, so that the group does not keep the device open when that process ends.
 * False: the placeholder was not passed along with the group.
 */
static bool part_from_device(struct group *group)
{
	if (!hidden_check(&group->placeholder))
		return false;
	/* A process that received only the device does not have the placeholder. */
	cdev_copy_users(device_file(group), group->placeholder.fd, group->cdev.index);
	return use_placeholder(group);
}

/*
 * The last close in this process of a device that other processes may have open. It keeps
 * running for them. When that is unknown, only this process closes it: the kernel stops
 * it if no other process has it open.
 */
static bool close_or_part(struct group *group, int is_used)
{
	if (!is_used) {
		close_device(group);
		return true;
	}
	if (is_used > 0)
		return part_from_device(group);
	log_warn("%s: cannot tell whether another process uses it (%e): it is not reset, and "
		 "stops when nobody has it open",
		 group->cdev.name, is_used);
	return part_from_device(group) || use_placeholder(group);
}

static int is_used_elsewhere(const struct group *group)
{
	int fd = device_file(group);

	return fd < 0 ? 0 : cdev_is_used_elsewhere(fd, group->cdev.index);
}

bool device_settle(struct group *group)
{
	int is_used;

	if (group->devices || group->received)
		return false;
	is_used = is_used_elsewhere(group);
	if (!group->is_open)
		return !is_used;
	if (maps_has_file(group->object.dev, group->object.ino))
		return false;
	group->is_open = false;
	if (is_used > 0 || fdtab_has(&group->object))
		group->is_open = !close_or_part(group, is_used);
	return !is_used;
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
	/* A second open of a cdev gives EINVAL; that of a group's device gives EBUSY. */
	return error == -EINVAL && !token ? -EBUSY : error;
}

/*
 * Another process of the group has bound the device in an open file that this one does
 * not have: duplicates that file into the group. -ENOENT: there is none.
 */
static int take_bound(struct group *group)
{
	unsigned int index = group->cdev.index;
	int fd = cdev_take(device_file(group), index);

	if (fd == -EPERM || fd == -ENOSYS) {
		log_error("cannot open %s (%e): a related process has it open; to take it from "
			  "there needs Linux 5.6 and the right to trace it (CAP_SYS_PTRACE)",
			  group->cdev.name, -EBUSY);
		return -EBUSY;
	}
	if (fd < 0)
		return -ENOENT;
	cdev_lock(fd, index, CDEV_LOCK_PASSED, CDEV_SHARED);
	use_cdev(group, fd);
	/*
	 * Closed before the program's descriptor is made: fd may have the lowest free
	 * number, or one above RLIMIT_NOFILE.
	 */
	sys_close(fd);
	return (int)sys_fcntl(device_file(group), F_DUPFD_CLOEXEC, 0);
}

/* A cdev_wait() each: how long a child that is being forked may keep its copy of a guard. */
#define FORK_TRIES 100

/*
 * A child of fork() or posix_spawn() holds the guard, too, until it has run. Nobody else
 * can have a device that had a guard.
 */
static bool is_held_by_child(struct group *group, bool had_guard, int error)
{
	if (error == -EBUSY && (had_guard || group->tries) && group->tries < FORK_TRIES)
		return ++group->tries;
	group->tries = 0;
	return false;
}

static int attach(struct group *group, int fd, const unsigned char *token)
{
	int ret = cdev_keep_from_lending(group->cdev.index);

	if (ret)
		return ret;
	ret = -EBUSY;
	if (!cdev_lock(fd, group->cdev.index, CDEV_LOCK_GROUP, CDEV_EXCLUSIVE))
		ret = ioas_attach(fd, token);
	cdev_let_lend();
	return ret;
}

/*
 * Binds the device in a cdev, which the group uses from then on. Returns its descriptor,
 * at the lowest free number.
 */
static int bind_device(struct group *group, const unsigned char *token)
{
	bool had_guard = hidden_check(&group->guard.file);
	int fd = take_bound(group);
	int ret;

	if (fd != -ENOENT)
		return fd;
	fd = cdev_open_for_program(group->cdev.index);
	if (fd < 0)
		return complain(group, fd, false);
	guard_let_go(&group->guard);
	ret = attach(group, fd, token);
	if (is_held_by_child(group, had_guard, ret))
		ret = CDEV_WAIT;
	if (ret != CDEV_WAIT)
		event_attach(group->cdev.name, false, ret);
	if (ret) {
		sys_close(fd);
		guard_hold(&group->guard);
		return ret == CDEV_WAIT ? ret : complain(group, ret, token);
	}
	membership_mark(&group->member, fd);
	use_cdev(group, fd);
	return fd;
}

bool device_is_bound(const struct group *group)
{
	return is_bound(device_file(group));
}

int device_bind(struct group *group)
{
	int fd = bind_device(group, NULL);

	if (fd >= 0)
		sys_close(fd);
	return fd < 0 ? fd : 0;
}

void device_unbind(struct group *group)
{
	if (!device_is_bound(group))
		return;
	close_or_part(group, is_used_elsewhere(group));
}

int device_open(struct group *group, int fd, const unsigned char *token)
{
	/* Another process may have bound it in the open file that this group shares. */
	bool bound = is_bound(fd);
	int ret, new = bound ? (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, 0) : bind_device(group, token);

	if (new < 0 || group->is_open)
		return new;
	renew_all(false);
	ret = answer_settle();
	if (ret) {
		sys_close(new);
		device_unbind(group);
		return ret;
	}
	group->is_open = true;
	cdev_lock(new, group->cdev.index, CDEV_LOCK_DEVICE, CDEV_EXCLUSIVE);
	return new;
}
