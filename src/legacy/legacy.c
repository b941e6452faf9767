/* SPDX-License-Identifier: MIT */
/* Where src/preload comes in: takes the lock, finds the object, asks it. */
#include "legacy/legacy.h"

#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/dir.h"
#include "base/hidden.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/state.h"
#include "base/sys.h"
#include "base/user.h"
#include "legacy/container.h"
#include "legacy/group.h"
#include "legacy/hotreset.h"
#include "legacy/names.h"
#include "legacy/observe.h"
#include "legacy/pagemap.h"
#include "legacy/path.h"
#include "legacy/standin.h"
#include "legacy/view.h"
#include "uapi/vfio.h"

static struct lock_saved at_fork;

static void before_fork(void)
{
	at_fork = lock_enter();
	group_before_fork();
}

static void after_fork_in_parent(void)
{
	lock_leave(at_fork);
}

static void after_fork_in_child(void)
{
	/* Before it has a vfork() child of its own, which would be taken for it. */
	process_generation();
	group_after_fork_in_child();
	lock_leave(at_fork);
}

/* A descriptor that we did not see coming. NULL: it is none of ours. */
static struct object *adopt(int fd)
{
	struct object *object;
	struct stat st;

	/* Mostly it is a file that has nothing to do with us. */
	if (settings.mode == MODE_GROUP || sys_fstat(fd, &st) || !S_ISCHR(st.st_mode))
		return NULL;
	/* Another driver's file is not to be asked what only an iommufd is. */
	object = view_is_iommufd(fd) ? (struct object *)container_adopt(fd) : group_adopt(fd);
	if (object)
		path_choose();
	return object;
}

static int adopt_inherited(const char *name, void *arg)
{
	int fd = (int)strtol(name, NULL, 10);

	(void)arg;
	if (*name != '.' && !adopt(fd))
		observe_arrived(fd);
	return 0;
}

void legacy_init(char **envp)
{
	struct lock_saved saved = lock_enter();

	/* Before the host's own handlers, so that in a fork ours run inside of them. */
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	settings_read(envp);
	dir_each("/proc/self/fd", adopt_inherited, NULL);
	state_show();
	lock_leave(saved);
}

/*
 * The kernel refuses. A group may be shut only because a device lends its page
 * table now, or because it was closed where we do not see it and we still
 * guard it.
 */
static int open_group_again(int dirfd, const char *path, int flags, int ret)
{
	struct view view;

	standin_find(dirfd, path, true, &view);
	if (view.kind != VIEW_GROUP || path_choose())
		return ret;
	if (ret == -EBUSY) {
		fdtab_drop_stale(0, ~0U);
		cdev_wait_lending(view.cdev.index);
		ret = sys_openat(dirfd, path, flags & ~O_CREAT);
	}
	if (ret < 0)
		group_say_refused(&view.cdev, ret);
	return ret;
}

static int open_view(const struct view *view, int fd, int flags)
{
	bool is_device = view->kind == VIEW_CONTAINER || view->kind == VIEW_GROUP;

	if (view->kind == VIEW_NONE)
		return -ENOENT;
	if (view->kind == VIEW_NOT_DIR || (is_device && flags & O_DIRECTORY))
		return -ENOTDIR;
	if (view->kind == VIEW_REAL)
		return sys_openat(AT_FDCWD, view->path, flags);
	if (!is_device || flags & O_PATH)
		return standin_open(view, flags);
	/* Opened by the kernel, they would not take it in the end. */
	if (flags & O_DIRECT)
		return view->kind == VIEW_GROUP ? group_refuse(&view->cdev) : -EINVAL;
	return view->kind == VIEW_GROUP ? group_open(view, fd, flags) : container_open(fd, flags);
}

static int opened_vfio(int dirfd, const char *path, int flags, int ret)
{
	struct view view;
	int choice, fd = -1;

	if (ret == -EBUSY || ret == -EPERM || ret == -EACCES)
		ret = open_group_again(dirfd, path, flags, ret);
	if (ret >= 0)
		view_identify(fd = ret, &view);
	else if (ret == -ENOENT)
		standin_find(dirfd, path, !(flags & O_NOFOLLOW), &view);
	else
		return ret;
	if (view.kind == VIEW_NONE)
		return ret;
	choice = path_choose();
	if (choice > 0)
		return ret;
	ret = choice ? choice : open_view(&view, fd, flags);
	if (ret < 0 && fd >= 0)
		sys_close(fd);
	return ret;
}

/* The descriptor of ours that a path like /proc/self/fd/N names, or NULL. */
static const struct object *link_target(const char *path)
{
	const char *fd = strstr(path, "/fd/");
	const struct object *object;
	char *end;
	long number;

	if (!fd)
		return NULL;
	number = strtol(fd + 4, &end, 10);
	object = *end ? NULL : fdtab_get((int)number);
	return object && object->kind != FD_HIDDEN && object->kind != FD_NATIVE ? object : NULL;
}

static int opened_pagemap(int fd)
{
	int ret = pagemap_opened(fd);

	if (!ret)
		return fd;
	sys_close(fd);
	return ret;
}

/* The name again that the descriptor stands for. */
static int open_name_again(const struct object *object, int flags)
{
	char name[VIEW_PATH];
	struct view view;

	names_native(object, name, sizeof(name));
	view_find(AT_FDCWD, name, false, &view);
	return open_view(&view, -1, flags);
}

/* A device's link can be looked at, and not opened: it leads to no node. */
static int open_nameless_again(int fd, int flags)
{
	const struct view view = {.kind = VIEW_NAMELESS, .path = NAMES_OF_DEVICE};
	int ret;

	if (!(flags & O_PATH))
		return fd == -EACCES ? fd : -ENXIO;
	ret = fd < 0 ? fd : standin_enter(&view, fd);
	return ret ? ret : fd;
}

/*
 * ret is what the kernel says to opening such a path: the file behind our
 * descriptor, once more.
 */
static int opened_again(const struct object *object, int ret, int flags)
{
	int fd = ret;

	if (object->kind == FD_PAGEMAP)
		return fd < 0 ? fd : opened_pagemap(fd);
	if (names_is_nameless(object))
		ret = open_nameless_again(fd, flags);
	else if (object->kind == FD_STANDIN || flags & O_PATH)
		ret = open_name_again(object, flags);
	else if (object->kind == FD_GROUP)
		ret = fd >= 0 || fd == -EINVAL ? -EBUSY : fd;
	else if (fd >= 0)
		ret = container_open(fd, flags);
	if (fd >= 0 && ret != fd)
		sys_close(fd);
	return ret;
}

int legacy_opened(int dirfd, const char *path, int flags, int ret, uint64_t start)
{
	const char *base = strrchr(path, '/');
	struct lock_saved saved = lock_enter();
	/* With O_NOFOLLOW the link itself is opened. */
	const struct object *object = flags & O_NOFOLLOW ? NULL : link_target(path);

	if (object)
		ret = opened_again(object, ret, flags);
	else if (flags & O_PATH && ret >= 0)
		; /* it opens no device */
	else if (strcmp(base ? base + 1 : path, "pagemap"))
		ret = opened_vfio(dirfd, path, flags, ret);
	else if (ret >= 0)
		ret = opened_pagemap(ret);
	lock_leave(saved);
	observe_opened(path, flags, ret, start);
	return ret;
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
	int on;

	if (user_read(&on, arg, sizeof(on)))
		return -EFAULT;
	object->flags = (object->flags & ~O_NONBLOCK) | (on ? O_NONBLOCK : 0);
	return 0;
}

static long dispatch(int fd, struct object *object, unsigned int cmd, unsigned long arg, bool *ours)
{
	*ours = true;
	if (object->kind == FD_HIDDEN)
		return -EBADF;
	if (names_keep_flags(object) && cmd == FIONBIO)
		return set_nonblock(object, (const void *)arg);
	if (is_of_every_file(cmd)) {
		*ours = false;
		return 0;
	}
	if (object->kind == FD_CONTAINER)
		return container_ioctl((struct container *)object, cmd, arg);
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

void legacy_received(int fd)
{
	struct lock_saved saved = lock_enter();
	const struct object *known;
	struct stat st;

	fdtab_drop(fd);
	known = adopt(fd);
	/* A process can send its pagemap to itself. */
	if (!known && !sys_fstat(fd, &st) && S_ISREG(st.st_mode) && !st.st_size)
		pagemap_opened(fd);
	else if (!known)
		observe_arrived(fd);
	lock_leave(saved);
}

bool legacy_ioctl(int fd, unsigned int cmd, unsigned long arg, long *ret)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	bool ours = false;

	if (!object)
		object = adopt(fd);
	if (object && object->kind == FD_RECEIVED)
		object = group_resolve(fd, object, cmd);
	if (object && object->kind != FD_NATIVE)
		*ret = dispatch(fd, object, cmd, arg, &ours);
	else if (cmd == VFIO_GROUP_SET_CONTAINER)
		ours = set_container_of_real_group(fd, arg, ret);
	lock_leave(saved);
	return ours;
}

bool legacy_close(int fd, int *ret)
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

bool legacy_stretch(unsigned int *at, unsigned int last, unsigned int *end)
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

void legacy_range_closed(unsigned int first, unsigned int last)
{
	struct lock_saved saved;

	if (process_is_guest())
		return;
	saved = lock_enter();
	fdtab_drop_stale(first, last);
	lock_leave(saved);
}

void legacy_closed(int fd)
{
	struct lock_saved saved = lock_enter();

	fdtab_get(fd);
	lock_leave(saved);
}

void legacy_replaced(int fd)
{
	struct lock_saved saved;

	if (process_is_guest())
		return;
	saved = lock_enter();
	fdtab_drop(fd);
	lock_leave(saved);
}

void legacy_duplicated(int oldfd, int newfd)
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

enum fd_kind legacy_kind(int fd)
{
	struct lock_saved saved = lock_enter();
	const struct object *object = fdtab_get(fd);
	enum fd_kind kind = object ? object->kind : FD_NOT_OURS;

	lock_leave(saved);
	return kind;
}

static bool has_our_locks(int fd)
{
	enum fd_kind kind = legacy_kind(fd);

	return kind == FD_GROUP || kind == FD_DEVICE || kind == FD_RECEIVED;
}

/* A lock of len bytes from start on, or of all there are, up to where ours begin. */
static off_t bounded(off_t start, off_t len)
{
	return !len || len > CDEV_LOCKS - start ? CDEV_LOCKS - start : len;
}

off_t legacy_lock_length(int fd, off_t len)
{
	return has_our_locks(fd) ? bounded(0, len) : len;
}

int legacy_lock_file(int fd, int cmd, struct flock *lock)
{
	struct flock own;
	int ret;

	if (!has_our_locks(fd))
		return 1;
	if (user_read(&own, lock, sizeof(own)))
		return -EFAULT;
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

void legacy_make_way(int newfd)
{
	struct lock_saved saved = lock_enter();

	hidden_make_way(newfd);
	lock_leave(saved);
}
