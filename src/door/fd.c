/* SPDX-License-Identifier: MIT */
/* Calls on descriptors, and changes of the descriptor table. */
#include "door/fd.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "backend/path.h"
#include "base/event.h"
#include "base/hidden.h"
#include "base/limit.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/sys.h"
#include "base/user.h"
#include "door/observe.h"
#include "iommufd/cdev.h"
#include "pin/pagemap.h"
#include "tree/view.h"
#include "uapi/vfio.h"
#include "vfio/container.h"
#include "vfio/group.h"

/*
 * Enters a descriptor that this process did not open, as far as the library saw. NULL: it
 * does not concern the library.
 */
static struct object *adopt(int fd)
{
	struct object *object;
	struct stat st;

	/* Most files are excluded here, including /dev/null. */
	if (settings.mode == MODE_GROUP || sys_fstat(fd, &st) || !S_ISCHR(st.st_mode) ||
	    major(st.st_rdev) == MEM_MAJOR)
		return NULL;
	/* The iommufd's ioctls must not be called on another driver's file. */
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

/*
 * Ioctls that the kernel handles for every file before it calls the driver:
 * do_vfs_ioctl() in fs/ioctl.c
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

static bool answer(int fd, struct object *object, unsigned int cmd, unsigned long arg, long *ret)
{
	const struct object_operations *ops = object->ops;

	if (ops->kind == FD_HIDDEN) {
		*ret = -EBADF;
		return true;
	}
	if (ops->own_flags & O_NONBLOCK && cmd == FIONBIO) {
		*ret = set_nonblock(object, (const void *)arg);
		return true;
	}
	return ops->ioctl && !is_of_every_file(cmd) && ops->ioctl(object, fd, cmd, arg, ret);
}

/*
 * VFIO_GROUP_SET_CONTAINER on a group with an IOMMU and a container of ours: replaces
 * that by the kernel's own. The kernel then answers the ioctl.
 */
static bool set_container_of_real_group(int group, unsigned long arg, long *ret)
{
	struct object *object;
	int fd;

	if (!view_is_real_group(group) || user_read(&fd, (const void *)arg, sizeof(fd)))
		return false;
	object = fdtab_get(fd);
	if (object_kind(object) != FD_CONTAINER)
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
	/*
	 * The program already has it, so it cannot be refused. If it cannot be verified
	 * now, each lookup tries again.
	 */
	else if (pagemap_arrived(fd) < 0)
		fdtab_expect(fd, FD_PAGEMAP);
	lock_leave(saved);
}

static bool answer_ioctl(int fd, unsigned int cmd, unsigned long arg, long *ret)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	bool ours = false;

	if (!object)
		object = adopt(fd);
	if (object && object->ops->resolve)
		object = object->ops->resolve(object, fd, cmd);
	if (object)
		ours = answer(fd, object, cmd, arg, ret);
	if (!ours && cmd == VFIO_GROUP_SET_CONTAINER)
		ours = set_container_of_real_group(fd, arg, ret);
	lock_leave(saved);
	return ours;
}

bool fd_ioctl(int fd, unsigned int cmd, unsigned long arg, long *ret)
{
	bool ours;

	while ((ours = answer_ioctl(fd, cmd, arg, ret)) && *ret == CDEV_WAIT)
		cdev_wait();
	return ours;
}

bool fd_close(int fd, int *ret)
{
	uint64_t start = event_start();
	struct lock_saved saved;
	struct object *object;
	enum trace_object what;

	/* A descriptor that the child of a vfork() closes stays open in its parent. */
	if (process_is_guest())
		return false;
	saved = lock_enter();
	object = fdtab_get(fd);
	what = observe_what(object);
	if (object_kind(object) == FD_HIDDEN) {
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
	else if (object && object->ops->kind != FD_HIDDEN)
		fdtab_install(newfd, object);
	else
		fdtab_drop(newfd);
	lock_leave(saved);
}

enum fd_kind fd_proved_kind(int fd)
{
	struct lock_saved saved = lock_enter();
	const struct object *object = fdtab_get(fd);
	enum fd_kind kind = object_kind(object);

	lock_leave(saved);
	return kind;
}

static bool has_our_locks(int fd)
{
	struct lock_saved saved = lock_enter();
	const struct object *object = fdtab_get(fd);
	/* A container and a placeholder of a group are the same inode. */
	bool ours = object && object->ops->is_vfio;

	lock_leave(saved);
	return ours;
}

/*
 * The length of a lock of len bytes (0: up to the end) from start on, cut to end before
 * CDEV_LOCKS.
 */
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

/* A device has an anonymous inode: fstat() of any other such file gives the same. */
static int stat_nameless(struct stat *st)
{
	int fd = (int)limit_call(SYS_epoll_create1, O_CLOEXEC, 0, 0, 0);
	int ret = fd < 0 ? fd : sys_fstat(fd, st);

	if (fd >= 0)
		sys_close(fd);
	return ret;
}

/* stat() for the result of object_name(). */
static int stat_name(const char *name, struct stat *st)
{
	int ret;

	if (*name != '/')
		return stat_nameless(st);
	ret = sys_fstatat(AT_FDCWD, name, st, AT_SYMLINK_NOFOLLOW);
	return ret == -ENOENT ? view_stat(name, st) : ret;
}

int fd_stat(int fd, struct stat *st)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	static char name[VIEW_PATH];
	int ret = 0;

	if (object_kind(object) == FD_HIDDEN)
		ret = -EBADF;
	else if (object && object_name(object, name, sizeof(name)))
		ret = stat_name(name, st);
	lock_leave(saved);
	return ret;
}

int fd_file_flags(int fd, int flags)
{
	struct lock_saved saved = lock_enter();
	const struct object *object = fdtab_get(fd);
	int own = object ? object->ops->own_flags : 0;

	if (own)
		flags = (flags & ~own) | (object->flags & own);
	lock_leave(saved);
	return flags;
}

int fd_set_file_flags(int fd, int flags)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	int ret = 1;

	if (object && object->ops->own_flags & OBJECT_SETTABLE) {
		ret = flags & O_DIRECT ? -EINVAL : 0;
		if (!ret)
			object->flags =
				(object->flags & ~OBJECT_SETTABLE) | (flags & OBJECT_SETTABLE);
	}
	lock_leave(saved);
	return ret;
}
