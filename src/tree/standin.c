/* SPDX-License-Identifier: MIT */
#include "tree/standin.h"

#include <errno.h>
#include <string.h>

#include <linux/memfd.h>

#include "base/attention.h"
#include "base/fdtab.h"
#include "base/limit.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/process.h"
#include "base/quiet.h"
#include "base/slab.h"
#include "base/sys.h"
#include "base/user.h"

static struct slab standins = {.size = sizeof(struct standin)};

static void release(struct object *object)
{
	slab_free(&standins, object);
}

static size_t name(const struct object *object, char *to, size_t size)
{
	return format(to, size, "%s", ((const struct standin *)object)->view.path);
}

static const struct object_operations operations = {
	.kind = FD_STANDIN,
	.release = release,
	.name = name,
};

/* Replaces fd by a file with this text. 0 or a negative errno. */
static int put_text(const char *text, int fd, int flags)
{
	char path[64];
	int memory, again;
	ssize_t ret;

	memory = (int)limit_call(SYS_memfd_create, (long)"noiommu-shim", MFD_CLOEXEC, 0, 0);
	if (memory < 0)
		return memory;
	/* RLIMIT_FSIZE can cut the write short; a part of the text would be wrong. */
	ret = quiet_write(memory, text, strlen(text));
	if (ret != (ssize_t)strlen(text)) {
		sys_close(memory);
		return ret < 0 ? (int)ret : -EFBIG;
	}
	/* Reopened for the access mode and the position of a fresh open. */
	format(path, sizeof(path), "self/fd/%d", memory);
	again = proc_open(path, flags & (O_ACCMODE | O_NONBLOCK));
	sys_close(memory);
	if (again < 0)
		return again;
	ret = sys_dup3(again, fd, flags & O_CLOEXEC);
	sys_close(again);
	return ret < 0 ? (int)ret : 0;
}

int standin_enter(const struct view *view, int fd)
{
	struct standin *standin = slab_alloc(&standins);

	if (!standin)
		return -ENOMEM;
	standin->object.ops = &operations;
	standin->view = *view;
	object_identify(&standin->object, fd);
	return fdtab_install(fd, &standin->object);
}

int standin_open(const struct view *view, int flags)
{
	static char model[VIEW_PATH];
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

/*
 * The stand-in that is the current directory, if ATTENTION_INSIDE is set and the current
 * directory is still the same.
 */
static struct standin current;

const struct view *standin_current(void)
{
	struct stat st;

	if (!(attention_get() & ATTENTION_INSIDE) || sys_fstatat(AT_FDCWD, ".", &st, 0) ||
	    st.st_dev != current.object.dev || st.st_ino != current.object.ino)
		return NULL;
	return &current.view;
}

void standin_set_current(const char *name)
{
	struct stat st;
	bool inside = name && !sys_fstatat(AT_FDCWD, ".", &st, 0);

	attention_set(ATTENTION_INSIDE, inside);
	if (!inside)
		return;
	current.object.dev = st.st_dev;
	current.object.ino = st.st_ino;
	view_find(AT_FDCWD, name, false, &current.view);
}

/* ---- relative paths ---- */

const struct view *standin_base(int dirfd)
{
	struct object *object;

	if (dirfd == AT_FDCWD)
		return standin_current();
	object = fdtab_get(dirfd);
	return object_kind(object) == FD_STANDIN ? &((struct standin *)object)->view : NULL;
}

void standin_find(int dirfd, const char *path, bool follow, struct view *view)
{
	const struct view *base = *path == '/' ? NULL : standin_base(dirfd);

	if (base)
		view_find_below(base, path, follow, view);
	else
		view_find(dirfd, path, follow, view);
}
