/* SPDX-License-Identifier: MIT */
/* Calls on names that the kernel does not have: stat, readlink, opendir. */
#include "legacy/names.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/user.h"
#include "legacy/group.h"
#include "legacy/legacy.h"
#include "legacy/path.h"
#include "legacy/standin.h"

enum legacy_name legacy_name(int dirfd, const char *path, bool follow, struct legacy_names *names)
{
	struct lock_saved saved = lock_enter();
	struct view view;

	standin_find(dirfd, path, follow, &view);
	if (view.kind != VIEW_NONE && path_choose())
		view.kind = VIEW_NONE;
	lock_leave(saved);
	if (view.kind == VIEW_NONE)
		return LEGACY_NOTHING;
	if (view.kind == VIEW_NOT_DIR)
		return LEGACY_NOT_DIR;
	format(names->to, sizeof(names->to), "%s", view.path);
	if (view.kind == VIEW_REAL)
		return LEGACY_REAL;
	view_model(&view, names->like, sizeof(names->like));
	return LEGACY_OURS;
}

/* Different names are different files. */
static ino_t number_of(const char *path)
{
	uint32_t hash = 2166136261U;

	while (*path)
		hash = (hash ^ (unsigned char)*path++) * 16777619U;
	return hash;
}

static int stat_view(const struct view *view, struct stat *st)
{
	char model[VIEW_PATH];
	int ret;

	view_model(view, model, sizeof(model));
	ret = sys_fstatat(AT_FDCWD, model, st, AT_SYMLINK_NOFOLLOW);
	if (ret)
		return ret;
	st->st_ino = number_of(view->path);
	if (view->kind == VIEW_CONTAINER) {
		st->st_mode = S_IFCHR | 0666;
		st->st_rdev = makedev(10, 196);
	} else if (view->kind == VIEW_GROUP) {
		st->st_mode = S_IFCHR | 0600;
	} else if (view->kind == VIEW_GROUP_DIR) {
		st->st_nlink = 3;
	} else if (view->kind == VIEW_DEVICES_DIR) {
		st->st_nlink = 2;
	}
	return 0;
}

int legacy_creating(int dirfd, const char *path, int flags)
{
	struct stat st;
	char name[VIEW_PATH];
	struct legacy_names names;

	if (user_read_string(name, sizeof(name), path) < 0 || !legacy_may_add(name) ||
	    sys_fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != -ENOENT ||
	    legacy_name(dirfd, name, true, &names) != LEGACY_OURS)
		return flags;
	return flags & O_EXCL ? -EEXIST : flags & ~O_CREAT;
}

/* Names without links: nothing is followed any more. */
static void find(const char *name, struct view *view)
{
	view_find(AT_FDCWD, name, false, view);
}

int names_stat(const char *name, struct stat *st)
{
	struct view view;

	find(name, &view);
	return view.kind == VIEW_NONE ? -ENOENT : stat_view(&view, st);
}

int legacy_stat(const char *name, struct stat *st)
{
	struct lock_saved saved = lock_enter();
	int ret = names_stat(name, st);

	lock_leave(saved);
	return ret;
}

ssize_t legacy_readlink(const char *name, char *buf, size_t size)
{
	struct lock_saved saved = lock_enter();
	struct view view;
	char link[VIEW_PATH];
	ssize_t ret = -EINVAL;

	find(name, &view);
	if (view.kind == VIEW_GROUP_LINK || view.kind == VIEW_DEVICE_LINK) {
		size_t len = view_link(&view, link, sizeof(link));

		len = len < size ? len : size;
		ret = user_write(buf, link, len) ? -EFAULT : (ssize_t)len;
	}
	lock_leave(saved);
	return ret;
}

static bool is_device(const struct object *object)
{
	return object->kind == FD_DEVICE || object->kind == FD_RECEIVED;
}

size_t names_native(const struct object *object, char *to, size_t size)
{
	if (object->kind == FD_STANDIN)
		return format(to, size, "%s", ((const struct standin *)object)->view.path);
	if (object->kind == FD_CONTAINER)
		return format(to, size, "/dev/vfio/vfio");
	if (object->kind == FD_GROUP)
		return format(to, size, "/dev/vfio/noiommu-%u",
			      view_group_of(&((const struct group *)object)->cdev));
	if (is_device(object))
		return format(to, size, NAMES_OF_DEVICE);
	return 0;
}

bool names_is_nameless(const struct object *object)
{
	return is_device(object) || (object->kind == FD_STANDIN &&
				     ((const struct standin *)object)->view.kind == VIEW_NAMELESS);
}

ssize_t legacy_link_was_read(const char *path, char *buf, size_t size, ssize_t len)
{
	const char *number = strrchr(path, '/');
	struct lock_saved saved;
	struct object *object;
	char name[VIEW_PATH], *end;
	size_t name_len = 0;
	long fd;

	fd = strtol(number ? number + 1 : path, &end, 10);
	if (*end || fdtab_kind((int)fd) == FD_NOT_OURS)
		return len;
	saved = lock_enter();
	object = fdtab_get((int)fd);
	if (object)
		name_len = names_native(object, name, sizeof(name));
	lock_leave(saved);
	if (!name_len)
		return len;
	name_len = name_len < size ? name_len : size;
	return user_write(buf, name, name_len) ? -EFAULT : (ssize_t)name_len;
}

void legacy_list(const char *name, void (*what)(const char *name, unsigned char type, void *arg),
		 void *arg)
{
	struct lock_saved saved = lock_enter();

	if (view_lists(name) && !path_choose())
		view_list(name, what, arg);
	lock_leave(saved);
}

size_t legacy_path_of(int fd, char to[LEGACY_PATH])
{
	struct lock_saved saved = lock_enter();
	const struct object *object = fdtab_get(fd);
	size_t len = 0;

	if (object && object->kind == FD_STANDIN)
		len = names_native(object, to, LEGACY_PATH);
	else if (view_path_of(fd, to, LEGACY_PATH))
		len = strlen(to);
	lock_leave(saved);
	return len;
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

int legacy_fstat(int fd, struct stat *st)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	char name[VIEW_PATH];
	int ret = 0;

	if (object && object->kind == FD_HIDDEN) {
		ret = -EBADF;
	} else if (object && names_is_nameless(object)) {
		ret = stat_nameless(st);
	} else if (object && names_native(object, name, sizeof(name))) {
		ret = sys_fstatat(AT_FDCWD, name, st, AT_SYMLINK_NOFOLLOW);
		if (ret == -ENOENT)
			ret = names_stat(name, st);
	}
	lock_leave(saved);
	return ret;
}

/* What F_SETFL can change: SETFL_MASK in fs/fcntl.c. */
#define SETTABLE (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

bool names_keep_flags(const struct object *object)
{
	return object->kind == FD_CONTAINER || is_device(object);
}

int legacy_file_flags(int fd, int flags)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);

	if (object && names_keep_flags(object))
		flags = object->flags;
	else if (object && object->kind == FD_GROUP)
		flags = (flags & SETTABLE) | (object->flags & ~SETTABLE);
	lock_leave(saved);
	return flags;
}

int legacy_set_file_flags(int fd, int flags)
{
	struct lock_saved saved = lock_enter();
	struct object *object = fdtab_get(fd);
	int ret = 1;

	if (object && names_keep_flags(object)) {
		ret = flags & O_DIRECT ? -EINVAL : 0;
		if (!ret)
			object->flags = (object->flags & ~SETTABLE) | (flags & SETTABLE);
	}
	lock_leave(saved);
	return ret;
}
