/* SPDX-License-Identifier: MIT */
/* Decides after an open: the kernel's file is used, or the library's takes its place. */
#include "door/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/path.h"
#include "base/lock.h"
#include "base/proc.h"
#include "base/settings.h"
#include "base/sys.h"
#include "base/user.h"
#include "door/name.h"
#include "door/observe.h"
#include "iommufd/cdev.h"
#include "pin/pagemap.h"
#include "tree/standin.h"
#include "tree/view.h"
#include "vfio/container.h"
#include "vfio/group.h"

/*
 * The kernel refused to open a group. It may be busy only because its device is lending
 * its page table, or because the program closed it unseen and the guard still has it.
 */
static int open_group_again(int dirfd, const char *path, int flags, int ret)
{
	static struct view view;

	standin_find(dirfd, path, true, &view);
	if (view.kind != VIEW_GROUP || path_choose())
		return ret;
	/* After a fork() no guard holds the group, so the kernel considers it free. */
	if (ret == -EINVAL)
		return group_refuse(&view.cdev);
	if (ret == -EBUSY) {
		fdtab_drop_stale(0, ~0U);
		if (cdev_keep_from_lending(view.cdev.index))
			return CDEV_WAIT;
		ret = sys_openat(dirfd, path, flags & ~O_CREAT);
		cdev_let_lend();
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
	/* In the kernel, containers and groups do not support O_DIRECT. */
	if (flags & O_DIRECT)
		return view->kind == VIEW_GROUP ? group_refuse(&view->cdev) : -EINVAL;
	return view->kind == VIEW_GROUP ? group_open(view, fd, flags) : container_open(fd, flags);
}

static int opened_vfio(int dirfd, const char *path, int flags, int ret)
{
	static struct view view;
	bool noiommu = false;
	int choice, fd = -1;

	if (ret == -EBUSY || ret == -EPERM || ret == -EACCES ||
	    (ret == -EINVAL && flags & O_DIRECT))
		ret = open_group_again(dirfd, path, flags, ret);
	if (ret >= 0)
		noiommu = view_identify(fd = ret, &view);
	else if (ret == -ENOENT)
		standin_find(dirfd, path, !(flags & O_NOFOLLOW), &view);
	else
		return ret;
	if (view.kind == VIEW_NONE && !noiommu)
		return ret;
	choice = path_choose();
	if (choice > 0 && noiommu)
		path_tell_unpinned();
	if (choice > 0 || (!choice && view.kind == VIEW_NONE))
		return ret;
	ret = choice ? choice : open_view(&view, fd, flags);
	if (ret < 0 && fd >= 0)
		sys_close(fd);
	return ret;
}

/*
 * The object whose link in /proc the path is, or NULL. *error is a negative errno if it
 * is unknown whose link it is.
 */
static const struct object *link_target(int dirfd, const char *path, int *error)
{
	int fd = proc_number_of(path);
	const struct object *object = fd < 0 ? NULL : fdtab_get(fd);
	int own;

	if (!object || !(object->ops->name || object->ops->open_again))
		return NULL;
	own = proc_is_own_entry(dirfd, path);
	if (own < 0)
		*error = own;
	return own > 0 ? object : NULL;
}

static int opened_pagemap(int fd)
{
	int ret = pagemap_opened(fd);

	if (!ret)
		return fd;
	sys_close(fd);
	return ret;
}

/* Opens the name that the descriptor stands for again. */
static int open_name_again(const struct object *object, int flags)
{
	static char name[VIEW_PATH];
	static struct view view;

	object_name(object, name, sizeof(name));
	view_find(AT_FDCWD, name, false, &view);
	return open_view(&view, -1, flags);
}

/* The link of a device can be opened with O_PATH only: it leads to no node. */
static int open_nameless_again(int fd, int flags)
{
	static const struct view view = {.kind = VIEW_NAMELESS, .path = VIEW_DEVICE};
	int ret;

	if (!(flags & O_PATH))
		return fd == -EACCES ? fd : -ENXIO;
	ret = fd < 0 ? fd : standin_enter(&view, fd);
	return ret ? ret : fd;
}

/*
 * The program opened the link of object. ret is the kernel's result: the file behind the
 * object, opened again, or a negative errno.
 */
static int opened_again(const struct object *object, int ret, int flags)
{
	const struct object_operations *ops = object->ops;
	int fd = ret;

	if (object_is_nameless(object))
		ret = open_nameless_again(fd, flags);
	else if (!ops->open_again || (flags & O_PATH && ops->name))
		ret = open_name_again(object, flags);
	else
		ret = ops->open_again(object, fd, flags);
	if (fd >= 0 && ret != fd)
		sys_close(fd);
	return ret;
}

/* If fstat() fails only the name is left to decide; the open is refused then. */
static bool is_like_pagemap(const char *path, int fd)
{
	const char *base = strrchr(path, '/');
	struct stat st;

	if (sys_fstat(fd, &st))
		return !strcmp(base ? base + 1 : path, "pagemap");
	return pagemap_is_like(&st);
}

/*
 * Returns what the program gets for the kernel's result. A descriptor in that is closed
 * on failure.
 */
static int settle(int dirfd, const char *path, int flags, int ret)
{
	const struct object *object;
	int error = 0;

	/* With O_NOFOLLOW the link itself was opened. */
	object = flags & O_NOFOLLOW ? NULL : link_target(dirfd, path, &error);
	if (object)
		return opened_again(object, ret, flags);
	if (error && ret >= 0)
		sys_close(ret);
	if (error)
		return error;
	/* O_PATH opens no device. */
	if (flags & O_PATH && ret >= 0)
		return ret;
	if (ret >= 0 && is_like_pagemap(path, ret))
		return opened_pagemap(ret);
	return opened_vfio(dirfd, path, flags, ret);
}

int open_done(int dirfd, const char *path, int flags, int ret, uint64_t start)
{
	int result;

	for (;; cdev_wait()) {
		struct lock_saved saved = lock_enter();

		result = settle(dirfd, path, flags, ret);
		lock_leave(saved);
		if (result != CDEV_WAIT)
			break;
	}
	observe_opened(path, flags, result, start);
	return result;
}

bool open_may_be_ours(int fd)
{
	struct stat st;

	return !sys_fstat(fd, &st) && (S_ISCHR(st.st_mode) || pagemap_is_like(&st));
}

/* settle() with a duplicate, which then replaces fd. */
static int settle_in_place(const char *path, int fd)
{
	int closes = (int)sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC;
	int again = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int flags = (int)sys_fcntl(fd, F_GETFL, 0);
	int ret = again < 0 ? again : settle(AT_FDCWD, path, flags & O_ACCMODE, again);
	struct object *object;

	if (ret < 0)
		return ret;
	again = ret;
	object = fdtab_get(again);
	ret = sys_dup3(again, fd, closes ? O_CLOEXEC : 0);
	if (ret >= 0 && object)
		ret = fdtab_install(fd, object);
	fdtab_drop(again);
	sys_close(again);
	return ret < 0 ? ret : 0;
}

int open_held(const char *path, int fd, uint64_t start)
{
	struct lock_saved saved = lock_enter();
	int ret = is_like_pagemap(path, fd) ? pagemap_opened(fd) : settle_in_place(path, fd);

	lock_leave(saved);
	observe_opened(path, O_RDONLY, ret < 0 ? ret : fd, start);
	return ret;
}

/* The test that needs no lock, which excludes most names. */
static __attribute__((noinline)) bool may_be_added(const char *path)
{
	char name[VIEW_PATH];

	return user_read_string(name, sizeof(name), path) >= 0 && name_may_be_added(name);
}

/* True for a name that only the view has. path may be bad. Needs the lock. */
static __attribute__((noinline)) bool is_added(int dirfd, const char *path)
{
	static char name[VIEW_PATH];
	static struct view view;
	struct stat st;

	if (user_read_string(name, sizeof(name), path) < 0 ||
	    sys_fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != -ENOENT)
		return false;
	standin_find(dirfd, name, true, &view);
	return view.kind != VIEW_NONE && view.kind != VIEW_NOT_DIR && view.kind != VIEW_REAL &&
	       !path_choose();
}

int open_creating(int dirfd, const char *path, int flags)
{
	struct lock_saved saved;
	bool added;

	if (!may_be_added(path))
		return flags;
	saved = lock_enter();
	added = is_added(dirfd, path);
	lock_leave(saved);
	if (!added)
		return flags;
	return flags & O_EXCL ? -EEXIST : flags & ~O_CREAT;
}
