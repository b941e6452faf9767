/* SPDX-License-Identifier: MIT */
/* Slow paths of open, close, dup and fcntl. */
#include <fcntl.h>

#include "base/event.h"
#include "door/lookup.h"
#include "door/open.h"
#include "preload/slow.h"

/* ---- open ---- */

/* Errors of the kernel that the library may have to replace. */
static bool may_open(int error)
{
	switch (error) {
	case ENOENT:
	case EBUSY:
	case EACCES:
	case EPERM:
	case EINVAL: /* O_DIRECT on a group that is busy */
		return true;
	default:
		return false;
	}
}

/* The state of an open(). */
struct opening {
	int dirfd;
	const char *path;
	int flags;
	int error;  /* negative: fail with this, without the call */
	int before; /* errno before the call */
	bool below; /* the path is relative to a stand-in, so the kernel must not see it */
	uint64_t start;
};

/* fd is the descriptor or a negative errno. */
static bool name_may_concern_us(const char *path, int fd)
{
	if (fd == -ENOENT)
		return name_may_be_added(path);
	if (fd < 0)
		return may_open(-fd) && name_may_be_ours(path);
	return name_may_be_ours(path) || name_may_lead_to_ours(path);
}

bool slow_may_be_opened(const char *path, int fd)
{
	return (fd >= 0 && is_ours(fd)) || name_may_concern_us(path, fd);
}

/* A name that only may lead to a file of ours is followed: the file is looked at. */
static bool may_be_ours(const char *path, int fd)
{
	return name_may_concern_us(path, fd) &&
	       (fd < 0 || name_may_be_ours(path) || open_may_be_ours(fd));
}

/* fd is the call's result. If the kernel has a node of that name, its answer counts. */
static int opened(const struct opening *with, int fd)
{
	int ret = fd < 0 ? -errno : fd;

	if (fd >= 0 && lookup_expect(with->path, with->flags, fd))
		return fd;
	if (fd >= 0 && is_ours(fd))
		fd_replaced(fd);
	if (fd >= 0 && with->flags & O_TRUNC)
		memory_emptied(fd);
	if (!with->below && !may_be_ours(with->path, ret))
		return fd;
	ret = open_done(with->dirfd, with->path, with->flags, ret, with->start);
	errno = with->before;
	return (int)result(ret);
}

int slow_opened(int dirfd, const char *path, int flags, int fd, int before)
{
	const struct opening opening = {dirfd, path, flags, .before = before};

	return opened(&opening, fd);
}

static struct opening begin(int dirfd, const char *path, int flags)
{
	struct opening opening = {dirfd, path, flags, .before = errno, .start = event_start()};

	opening.below = name_begins_below(dirfd, path);
	if (flags & O_CREAT)
		opening.flags = open_creating(dirfd, path, flags);
	if (opening.below)
		opening.error = -ENOENT;
	else if (opening.flags < 0)
		opening.error = opening.flags;
	return opening;
}

int slow_open(const char *path, int flags, mode_t mode, __typeof__(open) *call)
{
	struct opening opening = begin(AT_FDCWD, path, flags);

	return opened(&opening,
		      opening.error ? (int)result(opening.error) : call(path, opening.flags, mode));
}

int slow_openat(int dirfd, const char *path, int flags, mode_t mode, __typeof__(openat) *call)
{
	struct opening opening = begin(dirfd, path, flags);

	return opened(&opening, opening.error ? (int)result(opening.error)
					      : call(dirfd, path, opening.flags, mode));
}

int slow_openat2(int dirfd, const char *path, struct uapi_open_how *how, __typeof__(openat2) *call)
{
	struct opening opening = begin(dirfd, path, (int)how->flags);

	how->flags = (how->flags & ~UINT64_C(0xffffffff)) | (unsigned int)opening.flags;
	return opened(&opening, opening.error ? (int)result(opening.error)
					      : call(dirfd, path, (void *)how, sizeof(*how)));
}

/* ---- close ---- */

/*
 * A pagemap is closed by the next preload, which has also opened it. The library opens
 * the others itself, unseen by other preloads.
 */
int slow_close(int fd, __typeof__(close) *call)
{
	bool passed = fd_is_pagemap(fd) && !event_wanted();
	int ret;

	if (!passed && fd_close(fd, &ret))
		ret = (int)result(ret);
	else
		ret = call(fd);
	if (passed && !fdtab_is_expected(fd))
		fd_closed(fd);
	return ret;
}

int slow_close_range(unsigned int first, unsigned int last, int flags,
		     __typeof__(close_range) *call)
{
	unsigned int at = first, end;
	int ret = 0;

	/* Hidden descriptors are between the ranges. */
	if (first > last)
		ret = call(first, last, flags);
	while (!ret && fd_stretch(&at, last, &end)) {
		ret = call(at, end, flags);
		if (end == last)
			break;
		at = end + 1;
	}
	if (!ret && !(flags & CLOSE_RANGE_CLOEXEC))
		fd_range_closed(first, last);
	return ret;
}

/* ---- dup and fcntl ---- */

int slow_duplicated(int oldfd, int newfd)
{
	if (newfd >= 0)
		fd_duplicated(oldfd, newfd);
	return newfd;
}

/* Handles fcntl() on a descriptor of ours; 1: nothing was done. */
static int set_ours(int fd, int cmd, long arg)
{
	if (fdtab_kind(fd) == FD_HIDDEN && fd_proved_kind(fd) == FD_HIDDEN)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return fd_set_file_flags(fd, (int)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return fd_lock_file(fd, cmd, (struct flock *)arg);
	default:
		return 1;
	}
}

int slow_fcntl(int fd, int cmd, long arg, __typeof__(fcntl) *call)
{
	int ret = is_ours(fd) ? set_ours(fd, cmd, arg) : 1;

	if (ret <= 0)
		return (int)result(ret);
	ret = call(fd, cmd, arg);
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		return duplicated(fd, ret);
	if (cmd == F_GETFL && ret >= 0 && is_ours(fd))
		return fd_file_flags(fd, ret);
	return ret;
}
