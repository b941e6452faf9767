/* SPDX-License-Identifier: MIT */
/* Calls on names that the kernel does not have, such as stat, readlink and opendir. */
#include "door/name.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backend/path.h"
#include "base/lock.h"
#include "base/proc.h"
#include "base/log.h"
#include "base/process.h"
#include "base/slab.h"
#include "base/sys.h"
#include "base/user.h"
#include "tree/standin.h"
#include "vfio/group.h"

const unsigned char name_letters[256] = {
	['d'] = NAME_SYSTEM,		 /* /dev */
	['e'] = NAME_SYSTEM,		 /* /etc */
	['l'] = NAME_SYSTEM,		 /* /lib */
	['s'] = NAME_SYSTEM,		 /* /sys */
	['u'] = NAME_SYSTEM,		 /* /usr */
	['p'] = NAME_SYSTEM | NAME_ENDS, /* /proc, and pagemap */
	['o'] = NAME_ENDS,		 /* vfio */
	['0' ... '9'] = NAME_ENDS,	 /* groups */
};

static struct slab paths = {.size = sizeof(struct name_paths)};

static enum name_is find_names(int dirfd, const char *path, bool follow, struct name_paths **found)
{
	static struct view view;
	struct name_paths *names;

	standin_find(dirfd, path, follow, &view);
	if (view.kind == VIEW_NONE || path_choose())
		return NAME_NOTHING;
	if (view.kind == VIEW_NOT_DIR)
		return NAME_NOT_DIR;
	*found = names = slab_alloc(&paths);
	if (!names)
		return NAME_NOTHING;
	format(names->to, sizeof(names->to), "%s", view.path);
	if (view.kind == VIEW_REAL)
		return NAME_REAL;
	view_model(&view, names->like, sizeof(names->like));
	return NAME_OURS;
}

enum name_is name_find(int dirfd, const char *path, bool follow, struct name_paths **names)
{
	struct lock_saved saved = lock_enter();
	enum name_is is = find_names(dirfd, path, follow, names);

	lock_leave(saved);
	return is;
}

void name_put(struct name_paths *names)
{
	struct lock_saved saved = lock_enter();

	slab_free(&paths, names);
	lock_leave(saved);
}

/* The name contains no links, so none is followed. */
static void find(const char *name, struct view *view)
{
	view_find(AT_FDCWD, name, false, view);
}

int name_stat(const char *name, struct stat *st)
{
	struct lock_saved saved = lock_enter();
	int ret = view_stat(name, st);

	lock_leave(saved);
	return ret;
}

ssize_t name_readlink(const char *name, char *buf, size_t size)
{
	struct lock_saved saved = lock_enter();
	static struct view view;
	static char link[VIEW_PATH];
	ssize_t ret = -EINVAL;

	find(name, &view);
	if (view.kind == VIEW_GROUP_LINK || view.kind == VIEW_DEVICE_LINK) {
		size_t len = view_link(&view, link, sizeof(link));

		len = len < size ? len : size;
		ret = user_write(buf, link, len);
		ret = ret ? ret : (ssize_t)len;
	}
	lock_leave(saved);
	return ret;
}

ssize_t name_link_was_read(int dirfd, const char *path, char *buf, size_t size, ssize_t len)
{
	static char name[VIEW_PATH];
	int fd = proc_number_of(path);
	struct lock_saved saved;
	struct object *object;
	size_t name_len = 0;

	if (fd < 0 || fdtab_kind(fd) == FD_NOT_OURS)
		return len;
	saved = lock_enter();
	object = fdtab_get(fd);
	if (object && proc_is_own_entry(dirfd, path) > 0)
		name_len = object_name(object, name, sizeof(name));
	if (name_len) {
		name_len = name_len < size ? name_len : size;
		len = user_write(buf, name, name_len);
		len = len ? len : (ssize_t)name_len;
	}
	lock_leave(saved);
	return len;
}

static void list(const char *name, void (*what)(const char *name, unsigned char type, void *arg),
		 void *arg)
{
	if (view_lists(name) && !path_choose())
		view_list(name, what, arg);
}

void name_list(const char *name, void (*what)(const char *name, unsigned char type, void *arg),
	       void *arg)
{
	struct lock_saved saved = lock_enter();

	list(name, what, arg);
	lock_leave(saved);
}

static size_t of_fd(int fd, char to[NAME_PATH])
{
	const struct object *object = fdtab_get(fd);

	if (object_kind(object) == FD_STANDIN)
		return object_name(object, to, NAME_PATH);
	return view_path_of(fd, to, NAME_PATH) ? strlen(to) : 0;
}

size_t name_of_fd(int fd, char to[NAME_PATH])
{
	struct lock_saved saved = lock_enter();
	size_t len = of_fd(fd, to);

	lock_leave(saved);
	return len;
}

bool name_may_list_fd(int fd)
{
	static char name[NAME_PATH];
	struct lock_saved saved = lock_enter();
	bool may = of_fd(fd, name) && name_may_list(name);

	lock_leave(saved);
	return may;
}

void name_list_fd(int fd, void (*what)(const char *name, unsigned char type, void *arg), void *arg)
{
	static char name[NAME_PATH];
	struct lock_saved saved = lock_enter();

	if (of_fd(fd, name))
		list(name, what, arg);
	lock_leave(saved);
}

bool name_is_hidden_entry(int dir, const char *name)
{
	int fd = proc_number_of(name);
	struct lock_saved saved;
	bool is_hidden;

	if (fd < 0 || fd >= FDTAB_LOW || fdtab_kind(fd) != FD_HIDDEN)
		return false;
	saved = lock_enter();
	is_hidden = proc_is_own_entry(dir, name) > 0;
	lock_leave(saved);
	return is_hidden;
}

/* ---- the current directory ---- */

void name_entered(const char *name)
{
	struct lock_saved saved;

	/* The child of a vfork() has its own current directory, but its parent's memory. */
	if (process_is_guest())
		return;
	saved = lock_enter();
	standin_set_current(name);
	lock_leave(saved);
}

ssize_t name_getcwd(char *buf, size_t size)
{
	struct lock_saved saved = lock_enter();
	const struct view *view = standin_current();
	ssize_t len = 0;

	if (view) {
		len = (ssize_t)strlen(view->path) + 1;
		if (size < (size_t)len)
			len = -ERANGE;
		else if (user_write(buf, view->path, (size_t)len))
			len = -EFAULT;
	}
	lock_leave(saved);
	return len;
}

bool name_begins_in_ours(int dirfd, const char *path)
{
	static char name[VIEW_PATH];
	struct lock_saved saved = lock_enter();
	bool ours = user_read_string(name, sizeof(name), path) > 0 && *name != '/' &&
		    standin_base(dirfd);

	lock_leave(saved);
	return ours;
}

bool name_is_empty(const char *path)
{
	char first;

	return !user_read(&first, path, 1) && !first;
}
