/* SPDX-License-Identifier: MIT */
/* Descriptors: open, close, dup, and their kin. */
#include <fcntl.h>
#include <unistd.h>

#include "base/user.h"
#include "legacy/legacy.h"
#include "preload/next.h"
#include "base/sys.h"

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
ELSEWHERE int opened(int dirfd, const char *path, int flags, int fd, int errno_before,
		     uint64_t start, bool below)
{
	int ret;

	if (fd >= 0 && legacy_expect_pagemap(path, flags, fd))
		return fd;
	if (fd >= 0 && fdtab_kind(fd) != FD_NOT_OURS)
		legacy_replaced(fd);
	if (fd < 0 && !may_open(errno))
		return fd;
	if (!below && (fd < 0 && errno == ENOENT ? !legacy_may_add(path) : !legacy_may_name(path)))
		return fd;
	ret = legacy_opened(dirfd, path, flags, fd < 0 ? -errno : fd, start);
	errno = errno_before;
	return (int)result(ret);
}

#define OPENED_CAREFULLY(dirfd, path, flags, call)                                                 \
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

ELSEWHERE int open_carefully(int dirfd, const char *path, int flags, mode_t mode)
{
	return OPENED_CAREFULLY(dirfd, path, flags, NEXT(openat64)(dirfd, path, flags, mode));
}

/* Something is to be looked at before the kernel is asked. */
static inline bool looks_first(int dirfd, int flags)
{
	return flags & O_CREAT || legacy_in_ours || event_wanted() ||
	       (dirfd != AT_FDCWD && fdtab_kind(dirfd) != FD_NOT_OURS);
}

#define OPEN(dirfd, path, flags, mode, call)                                                       \
	({                                                                                         \
		int fd_;                                                                           \
		if (__builtin_expect(looks_first(dirfd, flags), 0)) {                              \
			fd_ = open_carefully(dirfd, path, flags, mode);                            \
		} else {                                                                           \
			int errno_ = errno;                                                        \
			fd_ = (call);                                                              \
			if (fd_ < 0 || fdtab_place(fd_) || legacy_may_name(path))                  \
				fd_ = opened(dirfd, path, flags, fd_, errno_, 0, false);           \
		}                                                                                  \
		fd_;                                                                               \
	})

int any_open(const char *path, int flags, mode_t mode) IS(open);
int any_open(const char *path, int flags, mode_t mode)
{
	return OPEN(AT_FDCWD, path, flags, mode, NEXT(open)(path, flags, mode));
}

int any_open64(const char *path, int flags, mode_t mode) IS(open64);
int any_open64(const char *path, int flags, mode_t mode)
{
	return OPEN(AT_FDCWD, path, flags, mode, NEXT(open64)(path, flags, mode));
}

ANY_ALIAS(__open, open);
ANY_ALIAS(__open64, open64);

int creat(const char *path, mode_t mode)
{
	return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

ALIAS(creat64, creat);

int any_openat(int dirfd, const char *path, int flags, mode_t mode) IS(openat);
int any_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	return OPEN(dirfd, path, flags, mode, NEXT(openat)(dirfd, path, flags, mode));
}

int any_openat64(int dirfd, const char *path, int flags, mode_t mode) IS(openat64);
int any_openat64(int dirfd, const char *path, int flags, mode_t mode)
{
	return OPEN(dirfd, path, flags, mode, NEXT(openat64)(dirfd, path, flags, mode));
}

/* Where a mode is needed, and is not there, libc ends the program. */
static inline bool lacks_mode(int flags)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

int __open_2(const char *path, int flags)
{
	return lacks_mode(flags) ? NEXT(__open_2)(path, flags) : open(path, flags);
}

int __open64_2(const char *path, int flags)
{
	return lacks_mode(flags) ? NEXT(__open64_2)(path, flags) : open64(path, flags);
}

int __openat_2(int dirfd, const char *path, int flags)
{
	return lacks_mode(flags) ? NEXT(__openat_2)(dirfd, path, flags)
				 : openat(dirfd, path, flags);
}

int __openat64_2(int dirfd, const char *path, int flags)
{
	return lacks_mode(flags) ? NEXT(__openat64_2)(dirfd, path, flags)
				 : openat64(dirfd, path, flags);
}

/* It has no function of its own in libc. A form of it that is longer we do not know. */
long preload_openat2(int dirfd, const char *path, const struct uapi_open_how *how, size_t size)
{
	struct uapi_open_how own;
	int flags;

	if (size != sizeof(own) || user_read(&own, how, sizeof(own)))
		return NEXT(syscall)(SYS_openat2, dirfd, path, how, size);
	flags = (int)own.flags;
	return OPENED_CAREFULLY(
		dirfd, path, flags,
		(own.flags = (own.flags & ~UINT64_C(0xffffffff)) | (unsigned int)flags,
		 (int)NEXT(syscall)(SYS_openat2, dirfd, path, &own, size)));
}

ELSEWHERE int close_ours(int fd)
{
	int ret;

	if (fdtab_is_expected(fd) && !event_wanted())
		return NEXT(close)(fd);
	return legacy_close(fd, &ret) ? (int)result(ret) : NEXT(close)(fd);
}

int close(int fd)
{
	return fdtab_kind(fd) == FD_NOT_OURS ? NEXT(close)(fd) : close_ours(fd);
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

ELSEWHERE int duplicated_ours(int oldfd, int newfd)
{
	if (newfd >= 0)
		legacy_duplicated(oldfd, newfd);
	return newfd;
}

static inline int duplicated(int oldfd, int newfd)
{
	return fdtab_place(oldfd) | fdtab_place(newfd) ? duplicated_ours(oldfd, newfd) : newfd;
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

int any_fcntl(int fd, int cmd, long arg) IS(fcntl);
int any_fcntl(int fd, int cmd, long arg)
{
	int set = set_here(fd, cmd, arg);

	if (set <= 0)
		return (int)result(set);
	return controlled(fd, cmd, NEXT(fcntl)(fd, cmd, arg));
}

ANY_ALIAS(__fcntl, fcntl);

int any_fcntl64(int fd, int cmd, long arg) IS(fcntl64);
int any_fcntl64(int fd, int cmd, long arg)
{
	int set = set_here(fd, cmd, arg);

	if (set <= 0)
		return (int)result(set);
	return controlled(fd, cmd, NEXT(fcntl64)(fd, cmd, arg));
}
