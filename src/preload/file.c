/* SPDX-License-Identifier: MIT */
/* Descriptors: open, close, dup, and their kin. */
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/user.h"
#include "legacy/legacy.h"
#include "preload/next.h"
#include "base/sys.h"

/* O_TMPFILE contains O_DIRECTORY: all its bits must be there. */
#define MODE(flags)                                                                                \
	({                                                                                         \
		mode_t mode_ = 0;                                                                  \
		if ((flags)&O_CREAT || ((flags)&O_TMPFILE) == O_TMPFILE) {                         \
			va_list args_;                                                             \
			va_start(args_, flags);                                                    \
			mode_ = va_arg(args_, mode_t);                                             \
			va_end(args_);                                                             \
		}                                                                                  \
		mode_;                                                                             \
	})

/* The kernel's refusals that may not be the last word, or not the right one. */
static bool may_open(int error)
{
	switch (error) {
	case ENOENT:
	case EBUSY:
	case EACCES:
	case EPERM:
	case EINVAL: /* O_DIRECT, where the file would have been busy */
		return true;
	default:
		return false;
	}
}

/*
 * The kernel has tried first: it has read the path, so we may, and where it
 * has a node of that name its answer counts. errno_before is put back when we
 * make a success of its ENOENT.
 */
static int opened(int dirfd, const char *path, int flags, int fd, int errno_before, uint64_t start,
		  bool below)
{
	int ret;

	if (fd >= 0 && fdtab_kind(fd) != FD_NOT_OURS)
		legacy_replaced(fd);
	if (fd >= 0 && flags & O_TRUNC)
		legacy_truncated(fd, 0);
	if (fd < 0 && !may_open(errno))
		return fd;
	if (!below && (fd < 0 && errno == ENOENT ? !legacy_may_add(path) : !legacy_may_name(path)))
		return fd;
	ret = legacy_opened(dirfd, path, flags, fd < 0 ? -errno : fd, start);
	errno = errno_before;
	return (int)result(ret);
}

#define OPENED(dirfd, path, flags, call)                                                           \
	({                                                                                         \
		int before_ = errno;                                                               \
		uint64_t start_ = event_start();                                                   \
		bool below_ = legacy_begins_below(dirfd, path);                                    \
		int fd_;                                                                           \
		if ((flags)&O_CREAT)                                                               \
			flags = legacy_creating(dirfd, path, flags);                               \
		if (below_)                                                                        \
			fd_ = (int)result(-ENOENT);                                                \
		else                                                                               \
			fd_ = flags < 0 ? (int)result(flags) : (call);                             \
		opened(dirfd, path, flags, fd_, before_, start_, below_);                          \
	})

int open(const char *path, int flags, ...)
{
	mode_t mode = MODE(flags);

	return OPENED(AT_FDCWD, path, flags, NEXT(open)(path, flags, mode));
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = MODE(flags);

	return OPENED(AT_FDCWD, path, flags, NEXT(open64)(path, flags, mode));
}

ALIAS(__open, open);
ALIAS(__open64, open64);

int creat(const char *path, mode_t mode)
{
	return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

ALIAS(creat64, creat);

int openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = MODE(flags);

	return OPENED(dirfd, path, flags, NEXT(openat)(dirfd, path, flags, mode));
}

int openat64(int dirfd, const char *path, int flags, ...)
{
	mode_t mode = MODE(flags);

	return OPENED(dirfd, path, flags, NEXT(openat64)(dirfd, path, flags, mode));
}

int __open_2(const char *path, int flags)
{
	return OPENED(AT_FDCWD, path, flags, NEXT(__open_2)(path, flags));
}

int __open64_2(const char *path, int flags)
{
	return OPENED(AT_FDCWD, path, flags, NEXT(__open64_2)(path, flags));
}

int __openat_2(int dirfd, const char *path, int flags)
{
	return OPENED(dirfd, path, flags, NEXT(__openat_2)(dirfd, path, flags));
}

int __openat64_2(int dirfd, const char *path, int flags)
{
	return OPENED(dirfd, path, flags, NEXT(__openat64_2)(dirfd, path, flags));
}

/* It has no function of its own in libc. A form of it that is longer we do not know. */
long preload_openat2(int dirfd, const char *path, const struct uapi_open_how *how, size_t size)
{
	struct uapi_open_how own;
	int flags;

	if (size != sizeof(own) || user_read(&own, how, sizeof(own)))
		return NEXT(syscall)(SYS_openat2, dirfd, path, how, size);
	flags = (int)own.flags;
	return OPENED(dirfd, path, flags,
		      (own.flags = (own.flags & ~UINT64_C(0xffffffff)) | (unsigned int)flags,
		       (int)NEXT(syscall)(SYS_openat2, dirfd, path, &own, size)));
}

int close(int fd)
{
	int ret;

	if (fdtab_kind(fd) == FD_NOT_OURS || !legacy_close(fd, &ret))
		return NEXT(close)(fd);
	return (int)result(ret);
}

ALIAS(__close, close);

int close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)result(legacy_close_range(first, last, (unsigned int)flags));
}

void closefrom(int first)
{
	legacy_close_range(first < 0 ? 0 : (unsigned int)first, ~0U, 0);
}

static int duplicated(int oldfd, int newfd)
{
	if (newfd >= 0 && (fdtab_kind(oldfd) != FD_NOT_OURS || fdtab_kind(newfd) != FD_NOT_OURS))
		legacy_duplicated(oldfd, newfd);
	return newfd;
}

static void make_way(int newfd)
{
	if (fdtab_kind(newfd) == FD_HIDDEN)
		legacy_make_way(newfd);
}

int dup(int oldfd)
{
	return duplicated(oldfd, NEXT(dup)(oldfd));
}

int dup2(int oldfd, int newfd)
{
	make_way(newfd);
	return duplicated(oldfd, NEXT(dup2)(oldfd, newfd));
}

int __dup2(int oldfd, int newfd)
{
	return dup2(oldfd, newfd);
}

int dup3(int oldfd, int newfd, int flags)
{
	make_way(newfd);
	return duplicated(oldfd, NEXT(dup3)(oldfd, newfd, flags));
}

/* The third argument of fcntl() is an int, a pointer or not there; any fits a long. */
#define ARG(last)                                                                                  \
	({                                                                                         \
		va_list args_;                                                                     \
		long arg_;                                                                         \
		va_start(args_, last);                                                             \
		arg_ = va_arg(args_, long);                                                        \
		va_end(args_);                                                                     \
		arg_;                                                                              \
	})

static int controlled(int fd, int cmd, int ret)
{
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC)
		return duplicated(fd, ret);
	if (cmd == F_GETFL && ret >= 0 && fdtab_kind(fd) != FD_NOT_OURS)
		return legacy_file_flags(fd, ret);
	return ret;
}

/* Of what fcntl() was asked; 1: nothing was done. */
static inline int set_here(int fd, int cmd, long arg)
{
	if (cmd != F_SETFL || fdtab_kind(fd) == FD_NOT_OURS)
		return 1;
	return legacy_set_file_flags(fd, (int)arg);
}

int fcntl(int fd, int cmd, ...)
{
	long arg = ARG(cmd);

	int set = set_here(fd, cmd, arg);

	if (set <= 0)
		return (int)result(set);
	return controlled(fd, cmd, NEXT(fcntl)(fd, cmd, arg));
}

ALIAS(__fcntl, fcntl);

int fcntl64(int fd, int cmd, ...)
{
	long arg = ARG(cmd);

	int set = set_here(fd, cmd, arg);

	if (set <= 0)
		return (int)result(set);
	return controlled(fd, cmd, NEXT(fcntl64)(fd, cmd, arg));
}
