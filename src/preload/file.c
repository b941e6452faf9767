/* SPDX-License-Identifier: MIT */
/* Descriptors: open, close, dup, and their kin. */
#include <fcntl.h>
#include <unistd.h>

#include "base/event.h"
#include "base/sys.h"
#include "base/user.h"
#include "door/fd.h"
#include "door/lookup.h"
#include "door/memory.h"
#include "door/name.h"
#include "door/open.h"
#include "preload/next.h"

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

	if (fd >= 0 && lookup_expect(path, flags, fd))
		return fd;
	if (fd >= 0 && fdtab_kind(fd) != FD_NOT_OURS)
		fd_replaced(fd);
	if (fd >= 0 && flags & O_TRUNC)
		memory_truncated(fd, 0);
	if (fd < 0 && !may_open(errno))
		return fd;
	if (!below &&
	    (fd < 0 && errno == ENOENT ? !name_may_be_added(path) : !name_may_be_ours(path)))
		return fd;
	ret = open_done(dirfd, path, flags, fd < 0 ? -errno : fd, start);
	errno = errno_before;
	return (int)result(ret);
}

#define OPENED_CAREFULLY(dirfd, path, flags, call)                                                 \
	({                                                                                         \
		int before_ = errno;                                                               \
		uint64_t start_ = event_start();                                                   \
		bool below_ = name_begins_below(dirfd, path);                                      \
		int fd_;                                                                           \
		if ((flags)&O_CREAT)                                                               \
			flags = open_creating(dirfd, path, flags);                                 \
		if (below_)                                                                        \
			fd_ = (int)result(-ENOENT);                                                \
		else                                                                               \
			fd_ = flags < 0 ? (int)result(flags) : (call);                             \
		opened(dirfd, path, flags, fd_, before_, start_, below_);                          \
	})

ELSEWHERE int open_carefully(const char *path, int flags, mode_t mode, __typeof__(next.open) call)
{
	return OPENED_CAREFULLY(AT_FDCWD, path, flags, call(path, flags, mode));
}

ELSEWHERE int openat_carefully(int dirfd, const char *path, int flags, mode_t mode,
			       __typeof__(next.openat) call)
{
	return OPENED_CAREFULLY(dirfd, path, flags, call(dirfd, path, flags, mode));
}

/* Something is to be done before the kernel is asked, or with whatever it opens. */
static inline bool looks_first(int dirfd, int flags)
{
	return flags & (O_CREAT | O_TRUNC) || name_is_in_ours() || event_wanted() ||
	       (dirfd != AT_FDCWD && fdtab_kind(dirfd) != FD_NOT_OURS);
}

#define OPENED(dirfd, path, flags, careful, call)                                                  \
	({                                                                                         \
		int fd_;                                                                           \
		if (__builtin_expect(looks_first(dirfd, flags), 0)) {                              \
			fd_ = (careful);                                                           \
		} else {                                                                           \
			int errno_ = errno;                                                        \
			fd_ = (call);                                                              \
			if (fd_ < 0 || fdtab_place(fd_) || name_may_be_ours(path))                 \
				fd_ = opened(dirfd, path, flags, fd_, errno_, 0, false);           \
		}                                                                                  \
		fd_;                                                                               \
	})

#define OPEN(name, path, flags, mode)                                                              \
	OPENED(AT_FDCWD, path, flags, open_carefully(path, flags, mode, NEXT(name)),               \
	       NEXT(name)(path, flags, mode))
#define OPENAT(name, dirfd, path, flags, mode)                                                     \
	OPENED(dirfd, path, flags, openat_carefully(dirfd, path, flags, mode, NEXT(name)),         \
	       NEXT(name)(dirfd, path, flags, mode))

int any_open(const char *path, int flags, mode_t mode) IS(open);
int any_open(const char *path, int flags, mode_t mode)
{
	return OPEN(open, path, flags, mode);
}

int any_open64(const char *path, int flags, mode_t mode) IS(open64);
int any_open64(const char *path, int flags, mode_t mode)
{
	return OPEN(open64, path, flags, mode);
}

int any___open(const char *path, int flags, mode_t mode) IS(__open);
int any___open(const char *path, int flags, mode_t mode)
{
	return OPEN(__open, path, flags, mode);
}

int any___open64(const char *path, int flags, mode_t mode) IS(__open64);
int any___open64(const char *path, int flags, mode_t mode)
{
	return OPEN(__open64, path, flags, mode);
}

int any_openat(int dirfd, const char *path, int flags, mode_t mode) IS(openat);
int any_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	return OPENAT(openat, dirfd, path, flags, mode);
}

int any_openat64(int dirfd, const char *path, int flags, mode_t mode) IS(openat64);
int any_openat64(int dirfd, const char *path, int flags, mode_t mode)
{
	return OPENAT(openat64, dirfd, path, flags, mode);
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

ALIAS(creat64, creat);

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

/*
 * A descriptor of pagemap is closed as it was opened, by the next preload. The
 * others come from us, and no other preload has seen them opened.
 */
#define CLOSE_OURS(fd, call)                                                                       \
	({                                                                                         \
		bool passed_ = fd_is_pagemap(fd) && !event_wanted();                               \
		int ret_;                                                                          \
		if (!passed_ && fd_close(fd, &ret_))                                               \
			ret_ = (int)result(ret_);                                                  \
		else                                                                               \
			ret_ = (int)(call);                                                        \
		if (passed_ && !fdtab_is_expected(fd))                                             \
			fd_closed(fd);                                                             \
		ret_;                                                                              \
	})

ELSEWHERE int close_ours(int fd, __typeof__(next.close) call)
{
	return CLOSE_OURS(fd, call(fd));
}

int close(int fd)
{
	return is_ours(fd) ? close_ours(fd, NEXT(close)) : NEXT(close)(fd);
}

int __close(int fd)
{
	return is_ours(fd) ? close_ours(fd, NEXT(__close)) : NEXT(__close)(fd);
}

/* call closes at..end; between such stretches lies what is hidden. */
#define CLOSE_STRETCHES(first, last, flags, call)                                                  \
	({                                                                                         \
		unsigned int first_ = (first), last_ = (last), at = first_, end = last_;           \
		int ret_ = 0;                                                                      \
		if (first_ > last_)                                                                \
			ret_ = (int)(call);                                                        \
		while (!ret_ && fd_stretch(&at, last_, &end)) {                                    \
			ret_ = (int)(call);                                                        \
			if (end == last_)                                                          \
				break;                                                             \
			at = end + 1;                                                              \
		}                                                                                  \
		if (!ret_ && !((flags)&CLOSE_RANGE_CLOEXEC))                                       \
			fd_range_closed(first_, last_);                                            \
		ret_;                                                                              \
	})

int close_range(unsigned int first, unsigned int last, int flags)
{
	return CLOSE_STRETCHES(first, last, flags, NEXT(close_range)(at, end, flags));
}

static int close_stretch(unsigned int first, unsigned int last)
{
	if (last != ~0U)
		return NEXT(close_range)(first, last, 0);
	NEXT(closefrom)((int)first);
	return 0;
}

void closefrom(int first)
{
	CLOSE_STRETCHES(first < 0 ? 0 : (unsigned int)first, ~0U, 0, close_stretch(at, end));
}

ELSEWHERE int duplicated_ours(int oldfd, int newfd)
{
	if (newfd >= 0)
		fd_duplicated(oldfd, newfd);
	return newfd;
}

static inline int duplicated(int oldfd, int newfd)
{
	return fdtab_place(oldfd) | fdtab_place(newfd) ? duplicated_ours(oldfd, newfd) : newfd;
}

static void make_way(int newfd)
{
	if (fdtab_kind(newfd) == FD_HIDDEN)
		fd_make_way(newfd);
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
	make_way(newfd);
	return duplicated(oldfd, NEXT(__dup2)(oldfd, newfd));
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
	if (cmd == F_GETFL && ret >= 0 && is_ours(fd))
		return fd_file_flags(fd, ret);
	return ret;
}

/* Of what fcntl() was asked; 1: nothing was done. */
ELSEWHERE int set_ours(int fd, int cmd, long arg)
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

static inline int set_here(int fd, int cmd, long arg)
{
	return is_ours(fd) ? set_ours(fd, cmd, arg) : 1;
}

#define FCNTL(fd, cmd, arg, call)                                                                  \
	({                                                                                         \
		int set_ = set_here(fd, cmd, arg);                                                 \
		set_ <= 0 ? (int)result(set_) : controlled(fd, cmd, (int)(call));                  \
	})

int any_fcntl(int fd, int cmd, long arg) IS(fcntl);
int any_fcntl(int fd, int cmd, long arg)
{
	return FCNTL(fd, cmd, arg, NEXT(fcntl)(fd, cmd, arg));
}

int any___fcntl(int fd, int cmd, long arg) IS(__fcntl);
int any___fcntl(int fd, int cmd, long arg)
{
	return FCNTL(fd, cmd, arg, NEXT(__fcntl)(fd, cmd, arg));
}

int any_fcntl64(int fd, int cmd, long arg) IS(fcntl64);
int any_fcntl64(int fd, int cmd, long arg)
{
	return FCNTL(fd, cmd, arg, NEXT(fcntl64)(fd, cmd, arg));
}

/* libc calls fcntl() inside itself. */

int lockf(int fd, int cmd, off_t len)
{
	return NEXT(lockf)(fd, cmd, is_ours(fd) ? fd_lock_length(fd, len) : len);
}

int lockf64(int fd, int cmd, off64_t len)
{
	return NEXT(lockf64)(fd, cmd, is_ours(fd) ? fd_lock_length(fd, len) : len);
}

/* ---- by number ---- */

/* A form of it that is longer we do not know. */
static int openat2_by_number(const long a[6])
{
	int dirfd = (int)a[0], flags;
	const char *path = (const char *)a[1];
	struct uapi_open_how how;

	if (a[3] != sizeof(how) || user_read(&how, (const void *)a[2], sizeof(how)))
		return (int)BY_NUMBER(SYS_openat2, a);
	flags = (int)how.flags;
	return OPENED_CAREFULLY(
		dirfd, path, flags,
		(how.flags = (how.flags & ~UINT64_C(0xffffffff)) | (unsigned int)flags,
		 (int)NEXT(syscall)(SYS_openat2, dirfd, path, &how, sizeof(how))));
}

static int openat_by_number(int dirfd, const char *path, int flags, mode_t mode)
{
	return OPENED_CAREFULLY(dirfd, path, flags,
				(int)NEXT(syscall)(SYS_openat, dirfd, path, flags, mode));
}

#define FD   ((int)a[0])
#define CALL BY_NUMBER(nr, a)

static int dup_by_number(long nr, const long a[6])
{
	make_way((int)a[1]);
	return duplicated(FD, (int)CALL);
}

bool file_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
		*ret = openat_by_number(AT_FDCWD, (const char *)a[0], (int)a[1], (mode_t)a[2]);
		return true;
	case SYS_creat:
		*ret = openat_by_number(AT_FDCWD, (const char *)a[0], O_CREAT | O_WRONLY | O_TRUNC,
					(mode_t)a[1]);
		return true;
	case SYS_dup2:
#endif
	case SYS_dup3:
		*ret = dup_by_number(nr, a);
		return true;
	case SYS_openat:
		*ret = openat_by_number(FD, (const char *)a[1], (int)a[2], (mode_t)a[3]);
		return true;
	case SYS_openat2:
		*ret = openat2_by_number(a);
		return true;
	case SYS_close:
		*ret = is_ours(FD) ? CLOSE_OURS(FD, CALL) : CALL;
		return true;
	case SYS_close_range:
		*ret = CLOSE_STRETCHES((unsigned int)a[0], (unsigned int)a[1], (int)a[2],
				       NEXT(syscall)(nr, at, end, a[2]));
		return true;
	case SYS_dup:
		*ret = duplicated(FD, (int)CALL);
		return true;
	case SYS_fcntl:
		*ret = FCNTL(FD, (int)a[1], a[2], CALL);
		return true;
	default:
		return false;
	}
}
