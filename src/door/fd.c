/* SPDX-License-Identifier: MIT */
/* Descriptors: what is asked of one, and what becomes of its number. */
#include "door/fd.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "backend/path.h"
#include "base/event.h"
#include "base/hidden.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/sys.h"
#include "base/user.h"
#include "door/native.h"
#include "door/observe.h"
#include "pin/pagemap.h"
#include "tree/view.h"
#include "uapi/vfio.h"
#include "vfio/container.h"
#include "vfio/group.h"
#include "vfio/hotreset.h"
#include "vfio/inherited.h"
#include "vfio/opened.h"

/* A descriptor that we did not see coming. NULL: it is none of ours. */
static struct object *adopt(int fd)
{
	struct object *object;
	struct stat st;

	/* Mostly it is a file that has nothing to do with us, or /dev/null. */
	if (settings.mode == MODE_GROUP || sys_fstat(fd, &st) || !S_ISCHR(st.st_mode) ||
	    major(st.st_rdev) == MEM_MAJOR)
		return NULL;
	/* Another driver's file is not to be asked what only an iommufd is. */
	object = group_adopt(fd);
	if (!object && view_is_iommufd(fd))
		object = (struct object *)container_adopt(fd);
	if (object)
		path_choose();
	return object;
}

void fd_arrived(int fd)
{
	if (!adopt(fd))
		observe_arrived(fd);
}

/* What the kernel answers for every file, before it asks the driver: do_vfs_ioctl() in fs/ioctl.c
 */
static bool is_of_every_file(unsigned int cmd)
{
	return cmd == FIOCLEX || cmd == FIONCLEX || cmd == FIONBIO || cmd == FIOASYNC ||
	       cmd == FIOQSIZE || cmd == FIGETBSZ;
}

static long set_nonblock(struct object *object, const void *arg)
{
	int on, ret = user_read(&on, arg, sizeof(on));

	if (ret)
		return ret;
	object->flags = (object->flags & ~O_NONBLOCK) | (on ? O_NONBLOCK : 0);
	return 0;
}

static long dispatch(int fd, struct object *object, unsigned int cmd, unsigned long arg, bool *ours)
{
	*ours = true;
	if (object->kind == FD_HIDDEN)
		return -EBADF;
	if (native_keeps_flags(object) && cmd == FIONBIO)
		return set_nonblock(object, (const void *)arg);
	if (is_of_every_file(cmd)) {
		*ours = false;
		return 0;
	}
	if (object->kind == FD_CONTAINER)
		return container_ioctl((struct container *)object, cmd, arg);
	if (object->kind == FD_GROUP || object->kind == FD_DEVICE)
		inherited_used();
	if (object->kind == FD_GROUP)
		return group_ioctl((struct group *)object, fd, cmd, arg);
	if (object->kind == FD_DEVICE && cmd == VFIO_DEVICE_GET_PCI_HOT_RESET_INFO)
		return hotreset_get_info(fd, (void *)arg);
	if (object->kind == FD_DEVICE && cmd == VFIO_DEVICE_PCI_HOT_RESET)
		return hotreset_reset(fd, (void *)arg);
	/* These are for a device that was opened by its cdev: vfio_device_fops_unl_ioctl() */
	if (object->kind == FD_DEVICE && cmd == VFIO_DEVICE_BIND_IOMMUFD)
		return -EINVAL;
	if (object->kind == FD_DEVICE &&
	    (cmd == VFIO_DEVICE_ATTACH_IOMMUFD_PT || cmd == VFIO_DEVICE_DETACH_IOMMUFD_PT))
		return -ENOTTY;
	*ours = false;
	return 0;
}

/*
 * A group that is none of ours takes a container. The kernel answers, once the
 * container is the kernel's own.
 */
static bool set_container_of_real_group(int group, unsigned long arg, long *ret)
{
	struct object *object;
	int fd;

	if (!view_is_real_group(group) || user_read(&fd, (const void *)arg, sizeof(fd)))
		return false;
	object = fdtab_get(fd);
	if (!object || object->kind != FD_CONTAINER)
		return false;
	*ret = container_make_real((struct container *)object);
	return *ret;
}

void fd_received(int fd)
{
	struct lock_saved saved = lock_enter();
	const struct object *known;
	struct stat st;

	fdtab_drop(fd);
	known = adopt(fd);
	if (known)
		;
	else if (sys_fstat(fd, &st) || !pagemap_is_like(&st))
		observe_arrived(fd);
	/* It is in the program's hands. If it cannot be told what it is, each lookup asks again. */
	else if (pagemap_arrived(fd) < 0)
		fdtab_expect(fd, FD_PAGEMAP);
	lock_leave(saved);
}

bool fd_ioctl(int fd, unsigned int cmd, unsigned long arg, long *ret)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	bool ours = false;

	if (!object)
		object = adopt(fd);
	if (object && object->kind == FD_RECEIVED)
		object = opened_resolve(fd, object, cmd);
	if (object && object->kind != FD_NATIVE)
		*ret = dispatch(fd, object, cmd, arg, &ours);
	else if (cmd == VFIO_GROUP_SET_CONTAINER)
		ours = set_container_of_real_group(fd, arg, ret);
	lock_leave(saved);
	return ours;
}

bool fd_close(int fd, int *ret)
{
	uint64_t start = event_start();
	struct lock_saved saved;
	struct object *object;
	enum trace_object what;

	/* What the child of a vfork() closes stays open in its parent. */
	if (process_is_guest())
		return false;
	saved = lock_enter();
	object = fdtab_get(fd);
	what = observe_what(object);
	if (object && object->kind == FD_HIDDEN) {
		*ret = -EBADF;
	} else if (object) {
		object_hold(object);
		fdtab_drop(fd);
		*ret = sys_close(fd);
		object_release(object);
	}
	lock_leave(saved);
	observe_closed(fd, what, object ? *ret : 0, start);
	return object;
}

static bool is_hidden(unsigned int fd)
{
	return fd < FDTAB_LOW && fdtab_kind((int)fd) == FD_HIDDEN;
}

bool fd_stretch(unsigned int *at, unsigned int last, unsigned int *end)
{
	while (*at < last && is_hidden(*at))
		++*at;
	*end = *at;
	while (*end < last && *end < FDTAB_LOW && !is_hidden(*end + 1))
		++*end;
	if (*end >= FDTAB_LOW)
		*end = last;
	return !is_hidden(*at);
}

void fd_range_closed(unsigned int first, unsigned int last)
{
	struct lock_saved saved;

	if (process_is_guest())
		return;
	saved = lock_enter();
	fdtab_drop_stale(first, last);
	lock_leave(saved);
}

void fd_closed(int fd)
{
	struct lock_saved saved = lock_enter();

	fdtab_get(fd);
	lock_leave(saved);
}

void fd_replaced(int fd)
{
	struct lock_saved saved;

	if (process_is_guest())
		return;
	saved = lock_enter();
	fdtab_drop(fd);
	lock_leave(saved);
}

void fd_duplicated(int oldfd, int newfd)
{
	struct lock_saved saved;
	struct object *object;

	if (process_is_guest())
		return;
	saved = lock_enter();
	object = fdtab_get(oldfd);
	if (oldfd == newfd)
		;
	else if (object && object->kind != FD_HIDDEN)
		fdtab_install(newfd, object);
	else
		fdtab_drop(newfd);
	lock_leave(saved);
}

enum fd_kind fd_proved_kind(int fd)
{
	struct lock_saved saved = lock_enter();
	const struct object *object = fdtab_get(fd);
	enum fd_kind kind = object ? object->kind : FD_NOT_OURS;

	lock_leave(saved);
	return kind;
}

static bool has_our_locks(int fd)
{
	enum fd_kind kind = fd_proved_kind(fd);

	/* A container is the same file as what stands for a group. */
	return kind == FD_CONTAINER || kind == FD_GROUP || kind == FD_DEVICE || kind == FD_RECEIVED;
}

/* A lock of len bytes from start on, or of all there are, up to where ours begin. */
static off_t bounded(off_t start, off_t len)
{
	return !len || len > CDEV_LOCKS - start ? CDEV_LOCKS - start : len;
}

off_t fd_lock_length(int fd, off_t len)
{
	return has_our_locks(fd) ? bounded(0, len) : len;
}

int fd_lock_file(int fd, int cmd, struct flock *lock)
{
	struct flock own;
	int ret;

	if (!has_our_locks(fd))
		return 1;
	ret = user_read(&own, lock, sizeof(own));
	if (ret)
		return ret;
	if (own.l_start >= CDEV_LOCKS)
		return -EINVAL;
	own.l_len = bounded(own.l_start, own.l_len);
	ret = (int)sys_fcntl(fd, cmd, (long)&own);
	if (ret || (cmd != F_GETLK && cmd != F_OFD_GETLK))
		return ret;
	if (own.l_type != F_UNLCK && own.l_start + own.l_len == CDEV_LOCKS)
		own.l_len = 0;
	return user_write(lock, &own, sizeof(own));
}

void fd_make_way(int newfd)
{
	struct lock_saved saved = lock_enter();

	hidden_make_way(newfd);
	lock_leave(saved);
}

/* A device file that the kernel made has no name: any other such file shows what it is like. */
static int stat_nameless(struct stat *st)
{
	int fd = (int)sys_call(SYS_epoll_create1, O_CLOEXEC, 0, 0, 0, 0, 0);
	int ret = fd < 0 ? fd : sys_fstat(fd, st);

	if (fd >= 0)
		sys_close(fd);
	return ret;
}

int fd_stat(int fd, struct stat *st)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	static char name[VIEW_PATH];
	int ret = 0;

	if (object && object->kind == FD_HIDDEN) {
		ret = -EBADF;
	} else if (object && native_is_nameless(object)) {
		ret = stat_nameless(st);
	} else if (object && native_name(object, name, sizeof(name))) {
		ret = sys_fstatat(AT_FDCWD, name, st, AT_SYMLINK_NOFOLLOW);
		if (ret == -ENOENT)
			ret = view_stat(name, st);
	}
	lock_leave(saved);
	return ret;
}

/* What F_SETFL can change: SETFL_MASK in fs/fcntl.c. */
#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

int fd_file_flags(int fd, int flags)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);

	if (object && native_keeps_flags(object))
		flags = object->flags;
	else if (object && object->kind == FD_GROUP)
		flags = (flags & SETTABLE) | (object->flags & ~SETTABLE);
	lock_leave(saved);
	return flags;
}

int fd_set_file_flags(int fd, int flags)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	int ret = 1;

	if (object && native_keeps_flags(object)) {
		ret = flags & O_DIRECT ? -EINVAL : 0;
		if (!ret)
			object->flags = (object->flags & ~SETTABLE) | (flags & SETTABLE);
	}
	lock_leave(saved);
	return ret;
}
