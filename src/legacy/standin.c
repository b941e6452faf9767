/* SPDX-License-Identifier: MIT */
#include "legacy/standin.h"

#include <errno.h>
#include <string.h>

#include <linux/memfd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/slab.h"
#include "base/sys.h"
#include "base/user.h"
#include "legacy/legacy.h"

static struct slab standins = {.size = sizeof(struct standin)};

static void release(struct object *object)
{
	slab_free(&standins, object);
}

/* Puts a file with the text under fd. 0 or a negative errno. */
static int put_text(const char *text, int fd, int flags)
{
	char path[64];
	int memory, again, ret;

	memory = (int)sys_call(SYS_memfd_create, (long)"noiommu-shim", MFD_CLOEXEC, 0, 0, 0, 0);
	if (memory < 0)
		return memory;
	sys_write(memory, text, strlen(text));
	/* Opened again, it has the access mode and the position of a fresh open. */
	format(path, sizeof(path), "/proc/self/fd/%d", memory);
	again = sys_openat(AT_FDCWD, path, flags & (O_ACCMODE | O_CLOEXEC | O_NONBLOCK));
	sys_close(memory);
	if (again < 0)
		return again;
	ret = sys_dup3(again, fd, flags & O_CLOEXEC);
	sys_close(again);
	return ret < 0 ? ret : 0;
}

int standin_enter(const struct view *view, int fd)
{
	struct standin *standin = slab_alloc(&standins);
	int ret;

	if (!standin)
		return -ENOMEM;
	standin->object.kind = FD_STANDIN;
	standin->object.release = release;
	standin->view = *view;
	object_identify(&standin->object, fd);
	object_hold(&standin->object);
	ret = fdtab_install(fd, &standin->object);
	object_release(&standin->object);
	return ret;
}

int standin_open(const struct view *view, int flags)
{
	char model[VIEW_PATH];
	int fd, ret = 0;

	view_model(view, model, sizeof(model));
	fd = sys_openat(AT_FDCWD, model, flags);
	if (fd < 0)
		return fd;
	if (view->kind == VIEW_TEXT && !(flags & O_PATH))
		ret = put_text(view->text, fd, flags);
	if (!ret)
		ret = standin_enter(view, fd);
	if (ret)
		sys_close(fd);
	return ret ? ret : fd;
}

/* ---- the current directory ---- */

_Atomic(bool) legacy_in_ours;

/* Where legacy_in_ours was set: it is true as long as we are in the same directory still. */
static struct standin current;

static const struct view *current_view(void)
{
	struct stat st;

	if (!legacy_in_ours || sys_fstatat(AT_FDCWD, ".", &st, 0) ||
	    st.st_dev != current.object.dev || st.st_ino != current.object.ino)
		return NULL;
	return &current.view;
}

void legacy_entered(const char *name)
{
	struct lock_saved saved;
	struct stat st;

	/* A vfork() child has a current directory of its own, in its parent's memory. */
	if (process_is_guest())
		return;
	saved = lock_enter();
	legacy_in_ours = name && !sys_fstatat(AT_FDCWD, ".", &st, 0);
	if (legacy_in_ours) {
		current.object.dev = st.st_dev;
		current.object.ino = st.st_ino;
		view_find(AT_FDCWD, name, false, &current.view);
	}
	lock_leave(saved);
}

ssize_t legacy_getcwd(char *buf, size_t size)
{
	struct lock_saved saved = lock_enter();
	const struct view *view = current_view();
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

/* ---- paths that begin there ---- */

static const struct view *base_of(int dirfd)
{
	struct object *object;

	if (dirfd == AT_FDCWD)
		return current_view();
	object = fdtab_get(dirfd);
	return object && object->kind == FD_STANDIN ? &((struct standin *)object)->view : NULL;
}

bool legacy_begins_in_ours(int dirfd, const char *path)
{
	struct lock_saved saved;
	char name[VIEW_PATH];
	bool ours;

	if (user_read_string(name, sizeof(name), path) <= 0 || *name == '/')
		return false;
	saved = lock_enter();
	ours = base_of(dirfd);
	lock_leave(saved);
	return ours;
}

bool legacy_is_empty(const char *path)
{
	char first;

	return !user_read(&first, path, 1) && !first;
}

void standin_find(int dirfd, const char *path, bool follow, struct view *view)
{
	const struct view *base = *path == '/' ? NULL : base_of(dirfd);

	if (base)
		view_find_below(base, path, follow, view);
	else
		view_find(dirfd, path, follow, view);
}
