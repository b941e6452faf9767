/* SPDX-License-Identifier: MIT */
#include "base/hidden.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/limit.h"
#include "base/lock.h"
#include "base/slab.h"
#include "base/sys.h"

/*
 * Takes the highest number below RLIMIT_NOFILE that works, and leaves the low ones to the
 * program.
 */
static int move_up(int fd)
{
	struct rlimit limit = {.rlim_cur = 256};
	long above;
	int up;

	sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0);
	above = limit.rlim_cur > FDTAB_LOW ? FDTAB_LOW : (long)limit.rlim_cur;
	for (above -= 32; above > fd; above /= 2) {
		up = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, above);
		if (up >= 0 && up < FDTAB_LOW)
			return up;
		if (up >= 0)
			sys_close(up);
	}
	sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* refs counts the one descriptor; the handle itself is its owner's. */
static void forget(struct object *object)
{
	((struct hidden *)object)->fd = -1;
}

static const struct object_operations own = {.kind = FD_HIDDEN, .release = forget};

int hidden_take(struct hidden *hidden, int fd)
{
	int up = move_up(fd);
	int ret;

	lock_assert_held();
	if (up != fd)
		sys_close(fd);
	hidden->object.ops = &own;
	hidden->object.refs = 0;
	hidden->fd = up;
	ret = object_identify(&hidden->object, up);
	if (!ret)
		ret = fdtab_install(up, &hidden->object);
	if (ret) {
		sys_close(up);
		hidden->fd = -1;
	}
	return ret;
}

static struct hidden *kept[HIDDEN_KEPT];

void hidden_keep(struct hidden *hidden)
{
	for (int i = 0; i < HIDDEN_KEPT; i++) {
		if (kept[i] && kept[i] != hidden)
			continue;
		kept[i] = hidden;
		return;
	}
}

/* Hidden descriptors of another process that shares the descriptor table. */
static struct slab others = {.size = sizeof(struct object)};

static void release_other(struct object *object)
{
	slab_free(&others, object);
}

static const struct object_operations of_others = {.kind = FD_HIDDEN, .release = release_other};

static void enter_other(int fd)
{
	struct object *object = slab_alloc(&others);

	if (!object)
		return;
	object->ops = &of_others;
	object_identify(object, fd);
	fdtab_install(fd, object);
}

void hidden_inherited(int fd, bool is_shared)
{
	for (int i = 0; i < HIDDEN_KEPT; i++) {
		if (!kept[i] || kept[i]->fd != fd)
			continue;
		kept[i]->object.refs = 0;
		fdtab_install(fd, &kept[i]->object);
		return;
	}
	if (is_shared)
		enter_other(fd);
	else
		sys_close(fd);
}

void hidden_close(struct hidden *hidden)
{
	int fd = hidden->fd;

	lock_assert_held();
	if (!hidden_check(hidden))
		return;
	fdtab_drop(fd);
	sys_close(fd);
}

bool hidden_check(struct hidden *hidden)
{
	lock_assert_held();
	return hidden->fd >= 0 && fdtab_get(hidden->fd) == &hidden->object;
}

void hidden_make_way(int fd)
{
	struct hidden *hidden = (struct hidden *)fdtab_get(fd);
	int away;

	lock_assert_held();
	if (!hidden || hidden->object.ops != &own)
		return;
	away = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
	if (away < 0)
		away = (int)limit_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3, 0);
	object_hold(&hidden->object);
	fdtab_drop(fd);
	hidden->object.refs--;
	hidden->fd = away;
	if (away >= 0 && fdtab_install(away, &hidden->object)) {
		sys_close(away);
		hidden->fd = -1;
	}
}
