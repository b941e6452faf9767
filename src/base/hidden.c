/* SPDX-License-Identifier: MIT */
#include "base/hidden.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/sys.h"

/* The highest number below the host's own limit leaves the low ones to the host. */
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

/* The handle belongs to its owner; what it counts is the one descriptor. */
static void forget(struct object *object)
{
	((struct hidden *)object)->fd = -1;
}

int hidden_take(struct hidden *hidden, int fd)
{
	int up = move_up(fd);
	int ret;

	if (up != fd)
		sys_close(fd);
	hidden->object.kind = FD_HIDDEN;
	hidden->object.refs = 0;
	hidden->object.release = forget;
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

void hidden_close(struct hidden *hidden)
{
	int fd = hidden->fd;

	if (!hidden_check(hidden))
		return;
	fdtab_drop(fd);
	sys_close(fd);
}

bool hidden_check(struct hidden *hidden)
{
	return hidden->fd >= 0 && fdtab_get(hidden->fd);
}

void hidden_make_way(int fd)
{
	struct hidden *hidden = (struct hidden *)fdtab_get(fd);
	int away;

	if (!hidden || hidden->object.kind != FD_HIDDEN)
		return;
	away = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);
	if (away < 0)
		away = (int)sys_fcntl(fd, F_DUPFD_CLOEXEC, 3);
	object_hold(&hidden->object);
	fdtab_drop(fd);
	hidden->object.refs--;
	hidden->fd = away;
	if (away >= 0 && fdtab_install(away, &hidden->object)) {
		sys_close(away);
		hidden->fd = -1;
	}
}
