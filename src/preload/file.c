/* SPDX-License-Identifier: MIT */
/* Descriptors: open, close, dup, fcntl. */
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/event.h"
#include "base/user.h"
#include "preload/slow.h"

/* ---- open ---- */

/* True when something has to be done before the call, or with any file that it opens. */
static inline bool looks_first(int dirfd, int flags)
{
	return ((unsigned int)flags & (O_CREAT | O_TRUNC)) | attention_get() ||
	       (dirfd != AT_FDCWD && is_ours(dirfd));
}

static inline bool concerns_us(const char *path, int fd)
{
	return fd < 0 || fdtab_place(fd) || name_may_lead_to_ours(path) || name_may_be_ours(path);
}

/*
 * The next function is passed by its address in the table, so that it is loaded where it
 * is called and occupies no register.
 */
static inline __attribute__((always_inline)) int open_path(const char *path, int flags, mode_t mode,
							   __typeof__(open) **call)
{
	int before, fd;

	if (__builtin_expect(looks_first(AT_FDCWD, flags), 0))
		return slow_open(path, flags, mode, *call);
	before = errno;
	fd = (*call)(path, flags, mode);
	return concerns_us(path, fd) ? slow_opened(AT_FDCWD, path, flags, fd, before) : fd;
}

static inline __attribute__((always_inline)) int
open_path_at(int dirfd, const char *path, int flags, mode_t mode, __typeof__(openat) **call)
{
	int before, fd;

	if (__builtin_expect(looks_first(dirfd, flags), 0))
		return slow_openat(dirfd, path, flags, mode, *call);
	before = errno;
	fd = (*call)(dirfd, path, flags, mode);
	return concerns_us(path, fd) ? slow_opened(dirfd, path, flags, fd, before) : fd;
}

int any_open(const char *path, int flags, mode_t mode) IS(open);
int any_open(const char *path, int flags, mode_t mode)
{
	return open_path(path, flags, mode, &NEXT(open));
}

int any_open64(const char *path, int flags, mode_t mode) IS(open64);
int any_open64(const char *path, int flags, mode_t mode)
{
	return open_path(path, flags, mode, &NEXT(open64));
}

int any___open(const char *path, int flags, mode_t mode) IS(__open);
int any___open(const char *path, int flags, mode_t mode)
{
	return open_path(path, flags, mode, &NEXT(__open));
}

int any___open64(const char *path, int flags, mode_t mode) IS(__open64);
int any___open64(const char *path, int flags, mode_t mode)
{
	return open_path(path, flags, mode, &NEXT(__open64));
}

int any_openat(int dirfd, const char *path, int flags, mode_t mode) IS(openat);
int any_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_path_at(dirfd, path, flags, mode, &NEXT(openat));
}

int any_openat64(int dirfd, const char *path, int flags, mode_t mode) IS(openat64);
int any_openat64(int dirfd, const char *path, int flags, mode_t mode)
{
	return open_path_at(dirfd, path, flags, mode, &NEXT(openat64));
}

/* A longer struct open_how is unknown here, and goes to the kernel. */
static int any_openat2(int dirfd, const char *path, const struct open_how *how, size_t size,
		       __typeof__(openat2) *call)
{
	struct uapi_open_how copy;

	if (size != sizeof(copy) || user_read(&copy, how, sizeof(copy)))
		return call(dirfd, path, how, size);
	return slow_openat2(dirfd, path, &copy, call);
}

int openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	return any_openat2(dirfd, path, how, size, NEXT(openat2));
}

int creat(const char *path, mode_t mode)
{
	return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

ALIAS(creat64, creat);

/* libc aborts the program if a required mode is missing. */
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

/* ---- close ---- */

int close(int fd)
{
	return is_ours(fd) ? slow_close(fd, NEXT(close)) : NEXT(close)(fd);
}

int __close(int fd)
{
	return is_ours(fd) ? slow_close(fd, NEXT(__close)) : NEXT(__close)(fd);
}

int close_range(unsigned int first, unsigned int last, int flags)
{
	return slow_close_range(first, last, flags, NEXT(close_range));
}

static int closefrom_stretch(unsigned int first, unsigned int last, int flags)
{
	if (last != ~0U)
		return NEXT(close_range)(first, last, flags);
	NEXT(closefrom)((int)first);
	return 0;
}

void closefrom(int first)
{
	slow_close_range(first < 0 ? 0 : (unsigned int)first, ~0U, 0, closefrom_stretch);
}

/* ---- dup and fcntl ---- */

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

int any_fcntl(int fd, int cmd, long arg) IS(fcntl);
int any_fcntl(int fd, int cmd, long arg)
{
	return slow_fcntl(fd, cmd, arg, NEXT(fcntl));
}

int any___fcntl(int fd, int cmd, long arg) IS(__fcntl);
int any___fcntl(int fd, int cmd, long arg)
{
	return slow_fcntl(fd, cmd, arg, NEXT(__fcntl));
}

int any_fcntl64(int fd, int cmd, long arg) IS(fcntl64);
int any_fcntl64(int fd, int cmd, long arg)
{
	return slow_fcntl(fd, cmd, arg, NEXT(fcntl64));
}

/* libc's lockf() calls fcntl() internally. */

int lockf(int fd, int cmd, off_t len)
{
	return NEXT(lockf)(fd, cmd, is_ours(fd) ? fd_lock_length(fd, len) : len);
}

int lockf64(int fd, int cmd, off64_t len)
{
	return NEXT(lockf64)(fd, cmd, is_ours(fd) ? fd_lock_length(fd, len) : len);
}

/* ---- by number ---- */

static int openat_by_number(int dirfd, const char *path, int flags, ...)
{
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	return (int)NEXT(syscall)(SYS_openat, dirfd, path, flags, mode);
}

static int openat2_by_number(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	return (int)NEXT(syscall)(SYS_openat2, dirfd, path, how, size);
}

static int close_by_number(int fd)
{
	return (int)NEXT(syscall)(SYS_close, fd);
}

static int close_range_by_number(unsigned int first, unsigned int last, int flags)
{
	return (int)NEXT(syscall)(SYS_close_range, first, last, flags);
}

static int fcntl_by_number(int fd, int cmd, ...)
{
	long arg;
	va_list args;

	va_start(args, cmd);
	arg = va_arg(args, long);
	va_end(args);
	return (int)NEXT(syscall)(SYS_fcntl, fd, cmd, arg);
}

#define FD   ((int)a[0])
#define CALL BY_NUMBER(nr, a)

static bool open_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
		*ret = slow_openat(AT_FDCWD, (const char *)a[0], (int)a[1], (mode_t)a[2],
				   openat_by_number);
		return true;
	case SYS_creat:
		*ret = slow_openat(AT_FDCWD, (const char *)a[0], O_CREAT | O_WRONLY | O_TRUNC,
				   (mode_t)a[1], openat_by_number);
		return true;
#endif
	case SYS_openat:
		*ret = slow_openat(FD, (const char *)a[1], (int)a[2], (mode_t)a[3],
				   openat_by_number);
		return true;
	case SYS_openat2:
		*ret = any_openat2(FD, (const char *)a[1], (const struct open_how *)a[2],
				   (size_t)a[3], openat2_by_number);
		return true;
	default:
		return false;
	}
}

bool file_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
	case SYS_close:
		*ret = is_ours(FD) ? slow_close(FD, close_by_number) : CALL;
		return true;
	case SYS_close_range:
		*ret = slow_close_range((unsigned int)a[0], (unsigned int)a[1], (int)a[2],
					close_range_by_number);
		return true;
	case SYS_dup:
		*ret = duplicated(FD, (int)CALL);
		return true;
#ifdef SYS_dup2
	case SYS_dup2:
#endif
	case SYS_dup3:
		make_way((int)a[1]);
		*ret = duplicated(FD, (int)CALL);
		return true;
	case SYS_fcntl:
		*ret = slow_fcntl(FD, (int)a[1], a[2], fcntl_by_number);
		return true;
	default:
		return open_by_number(nr, a, ret);
	}
}
