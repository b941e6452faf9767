/* SPDX-License-Identifier: MIT */
/* open, close, dup, fcntl and their kin. */
#include "conformance.h"

#include <sys/syscall.h>

#include "uapi/syscall.h"

/* ---- open ---- */

static const int open_flags[] = {
	O_RDONLY,
	O_RDWR | O_CLOEXEC | O_APPEND,
	O_WRONLY | O_TRUNC,
	O_RDONLY | O_DIRECTORY,
	O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
	O_PATH,
	O_RDWR | O_EXCL | 0x40000000, /* a flag that nobody knows */
	O_WRONLY | O_CREAT | O_EXCL,
	O_RDWR | O_CREAT | O_CLOEXEC,
	O_TMPFILE | O_RDWR,
};

/* The fortified ones have no mode, and end the program when one is needed. */
static void opens(int with(const char *path, int flags), bool has_mode)
{
	for (size_t i = 0; i < sizeof(open_flags) / sizeof(open_flags[0]); i++) {
		int flags = open_flags[i];

		if (!has_mode && (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE))
			continue;
		for (const char *const *path = paths; *path; path++) {
			tell("%s 0%o", shown(*path), flags);
			tell_and_close(CALL(with(*path, flags)));
		}
	}
	tell_and_close(CALL(with(NULL, 0)));
}

#define OPEN_CASE(name, has_mode, ...)                                                             \
	static int by_##name(const char *path, int flags)                                          \
	{                                                                                          \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		opens(by_##name, has_mode);                                                        \
	}

OPEN_CASE(open, true, path, flags, 0640)
OPEN_CASE(open64, true, path, flags, 0640)
OPEN_CASE(__open, true, path, flags, 0640)
OPEN_CASE(__open64, true, path, flags, 0640)
OPEN_CASE(__open_2, false, path, flags)
OPEN_CASE(__open64_2, false, path, flags)
OPEN_CASE(__openat_2, false, AT_FDCWD, path, flags)
OPEN_CASE(__openat64_2, false, AT_FDCWD, path, flags)

/* With and without a mode: what is not passed must not be read. */
static void opens_at(int with(int dirfd, const char *path, int flags, ...))
{
	int dir = (int)syscall(SYS_openat, AT_FDCWD, "dir", O_RDONLY, 0);
	int file = own_file(O_RDONLY);

	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		tell_and_close(CALL(with(AT_FDCWD, *path, O_RDONLY)));
		tell_and_close(CALL(with(dir, *path, O_RDWR)));
		tell_and_close(CALL(with(file, *path, O_RDONLY)));
		tell_and_close(CALL(with(-1, *path, O_RDONLY)));
		tell_and_close(CALL(with(dir, *path, O_RDWR | O_CREAT, 0600)));
	}
}

CASE(openat)
{
	opens_at(the.openat);
}

CASE(openat64)
{
	opens_at(the.openat64);
}

/* The kernel knows no longer struct than this one, unless the rest is zero. */
CASE(openat2)
{
	union {
		struct uapi_open_how how;
		char longer[sizeof(struct uapi_open_how) + 8];
	} u = {.how.flags = O_RDONLY};
	const struct open_how *how = (const struct open_how *)&u;

	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		tell_and_close(CALL(the.openat2(AT_FDCWD, *path, how, sizeof(u.how))));
		tell_and_close(CALL(the.openat2(-1, *path, how, sizeof(u.how))));
		tell_and_close(CALL(the.openat2(AT_FDCWD, *path, how, sizeof(u))));
	}
	CALL(the.openat2(AT_FDCWD, "file", how, 8));
	CALL(the.openat2(AT_FDCWD, "file", BAD, sizeof(u.how)));
	u.longer[sizeof(u.how)] = 1;
	CALL(the.openat2(AT_FDCWD, "file", how, sizeof(u)));
	u.how.flags = 1ull << 40;
	CALL(the.openat2(AT_FDCWD, "file", how, sizeof(u.how)));
}

static void creates(int with(const char *path, mode_t mode))
{
	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		tell_and_close(CALL(with(*path, 0604)));
	}
}

CASE(creat)
{
	creates(the.creat);
}

CASE(creat64)
{
	creates(the.creat64);
}

/* ---- close ---- */

static void closes(int with(int fd))
{
	int fd = own_file(O_RDONLY);
	int twin = (int)syscall(SYS_dup, fd);

	CALL(with(fd));
	CALL(with(fd));
	CALL(syscall(SYS_lseek, twin, 3L, SEEK_SET));
	CALL(with(twin));
	CALL(with(-1));
	CALL(with(1000000));
	CALL(with(65536));
}

CASE(close)
{
	closes(the.close);
}

CASE(__close)
{
	closes(the.__close);
}

static void tell_open(int first, int last)
{
	for (int fd = first; fd <= last; fd++)
		tell("fd %d flags %ld", fd, syscall(SYS_fcntl, fd, F_GETFD));
}

static void open_some(int first, int last)
{
	for (int fd = first; fd <= last; fd++)
		syscall(SYS_dup3, 1, fd, 0);
}

CASE(close_range)
{
	open_some(20, 29);
	CALL(the.close_range(21, 22, 0));
	CALL(the.close_range(24, 25, 4)); /* CLOSE_RANGE_CLOEXEC */
	CALL(the.close_range(27, 27, 2)); /* CLOSE_RANGE_UNSHARE */
	CALL(the.close_range(28, 27, 0));
	CALL(the.close_range(20, 29, 64));
	tell_open(20, 29);
	CALL(the.close_range(26, ~0U, 0));
	CALL(the.close_range(70000, 80000, 0));
	tell_open(20, 29);
}

CASE(closefrom)
{
	open_some(20, 24);
	the.closefrom(22);
	tell_open(20, 24);
	the.closefrom(100000);
	tell_open(20, 24);
}

/* ---- dup ---- */

static void lock_file(int lock(int fd, int cmd, off_t len))
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "file", O_RDWR, 0);

	CALL(lock(fd, F_TLOCK, 4));
	CALL(lock(fd, F_TEST, 0));
	CALL(lock(fd, F_LOCK, 0));
	CALL(lock(fd, F_ULOCK, 0));
	CALL(lock(fd, 12345, 0));
	CALL(lock(fd, F_TLOCK, -1));
	CALL(lock(-1, F_TLOCK, 0));
	CALL(lock(0, F_TLOCK, 0));
}

CASE(lockf)
{
	lock_file(the.lockf);
}

CASE(lockf64)
{
	lock_file(the.lockf64);
}

CASE(dup)
{
	int fd = own_file(O_RDONLY | O_CLOEXEC);

	syscall(SYS_lseek, fd, 5L, SEEK_SET);
	tell_and_close(CALL(the.dup(fd)));
	tell_and_close(CALL(the.dup(-1)));
	tell_and_close(CALL(the.dup(999)));
}

static void duplicates(int with(int oldfd, int newfd))
{
	int fd = own_file(O_RDONLY | O_CLOEXEC);

	CALL(with(fd, fd));
	tell_and_close(CALL(with(fd, 40)));
	CALL(with(fd, 41));
	tell_and_close(CALL(with(own_file(O_PATH), 41)));
	CALL(with(fd, -1));
	CALL(with(-1, fd));
	CALL(with(999, 999));
	CALL(with(fd, 1 << 30));
}

CASE(dup2)
{
	duplicates(the.dup2);
}

CASE(__dup2)
{
	duplicates(the.__dup2);
}

CASE(dup3)
{
	int fd = own_file(O_RDONLY);

	tell_and_close(CALL(the.dup3(fd, 40, O_CLOEXEC)));
	tell_and_close(CALL(the.dup3(fd, 40, 0)));
	CALL(the.dup3(fd, fd, 0));
	CALL(the.dup3(fd, 41, O_APPEND));
	CALL(the.dup3(fd, -1, 0));
	CALL(the.dup3(-1, 41, 0));
}

/* ---- fcntl ---- */

static void controls(int with(int fd, int cmd, ...))
{
	int fd = own_file(O_RDWR);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 4};
	struct f_owner_ex owner = {0};
	int ends[2];

	tell_and_close(CALL(with(fd, F_DUPFD, 50)));
	tell_and_close(CALL(with(fd, F_DUPFD_CLOEXEC, 50)));
	CALL(with(fd, F_DUPFD, -1));
	CALL(with(fd, F_DUPFD, 1 << 30));
	CALL(with(fd, F_GETFD));
	CALL(with(fd, F_SETFD, FD_CLOEXEC));
	CALL(with(fd, F_GETFD));
	CALL(with(fd, F_GETFL));
	CALL(with(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	CALL(with(fd, F_GETFL));
	CALL(with(fd, F_SETLK, &lock));
	CALL(with(fd, F_GETLK, &lock));
	tell("lock %d", lock.l_type);
	CALL(with(fd, F_OFD_SETLK, &lock));
	CALL(with(fd, F_GETLK, BAD));
	CALL(with(fd, F_GETOWN));
	CALL(with(fd, F_SETOWN, getpid()));
	CALL(with(fd, F_GETOWN_EX, &owner));
	tell("owner %d %d", owner.type, owner.pid == getpid());
	CALL(with(fd, F_GET_SEALS));
	CALL(with(fd, 12345, 0));
	CALL(with(-1, F_GETFL));
	CALL(with(fd, F_NOTIFY, 0));
	if (syscall(SYS_pipe2, ends, 0))
		abort();
	CALL(with(ends[0], F_GETPIPE_SZ));
	CALL(with(ends[0], F_SETPIPE_SZ, 4096));
	tell_and_close(fd);
}

CASE(fcntl)
{
	controls(the.fcntl);
}

CASE(fcntl64)
{
	controls(the.fcntl64);
}

CASE(__fcntl)
{
	controls(the.__fcntl);
}
