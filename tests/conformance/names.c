/* SPDX-License-Identifier: MIT */
/* readlink, realpath, stat, access, extended attributes, the current directory. */
#include "conformance.h"

#include <limits.h>
#include <sys/syscall.h>

static int dir_fd(void)
{
	return (int)syscall(SYS_openat, AT_FDCWD, "dir", O_RDONLY, 0);
}

/* ---- links ---- */

static void reads_links(ssize_t with(const char *path, char *buf, size_t size))
{
	char buf[16];

	for (const char *const *path = paths; *path; path++) {
		ssize_t len;

		memset(buf, '-', sizeof(buf));
		tell("%s", shown(*path));
		len = CALL(with(*path, buf, sizeof(buf)));
		tell_bytes(buf, sizeof(buf));
		if (len > 0)
			CALL(with(*path, buf, (size_t)len - 1));
	}
	CALL(with("link", BAD, 16));
	CALL(with("link", buf, 0));
	CALL(with("/proc/self/fd/0", buf, 1));
}

#define READLINK_CASE(name, ...)                                                                   \
	static ssize_t by_##name(const char *path, char *buf, size_t size)                         \
	{                                                                                          \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		reads_links(by_##name);                                                            \
	}

READLINK_CASE(readlink, path, buf, size)
READLINK_CASE(readlinkat, AT_FDCWD, path, buf, size)
READLINK_CASE(__readlink_chk, path, buf, size, size)
READLINK_CASE(__readlinkat_chk, AT_FDCWD, path, buf, size, size)

/* A bad pointer ends the program here, as it does in libc. */
static void resolves(char *with(const char *path, char *to))
{
	char to[PATH_MAX];

	for (const char *const *path = paths; *path; path++) {
		char *resolved;

		if (*path == BAD)
			continue;
		strcpy(to, "nothing");
		tell("%s", shown(*path));
		resolved = CALL_POINTER(with(*path, to), NULL);
		tell("%s", strrchr(to, '/') ? strrchr(to, '/') : to);
		if (resolved)
			tell("into %d", resolved == to);
		resolved = CALL_POINTER(with(*path, NULL), NULL);
		if (resolved)
			tell("%s", strrchr(resolved, '/'));
		free(resolved);
	}
	CALL_POINTER(with(NULL, to), NULL);
}

CASE(realpath)
{
	resolves(the.realpath);
}

static char *by_realpath_chk(const char *path, char *to)
{
	return the.__realpath_chk(path, to, PATH_MAX);
}

CASE(__realpath_chk)
{
	resolves(by_realpath_chk);
}

static char *by_canonicalize(const char *path, char *to)
{
	(void)to;
	return the.canonicalize_file_name(path);
}

CASE(canonicalize_file_name)
{
	resolves(by_canonicalize);
}

/* ---- stat ---- */

static void tell_stat(const struct stat *st)
{
	tell("mode 0%o links %lu size %ld rdev %lx", st->st_mode, (unsigned long)st->st_nlink,
	     S_ISDIR(st->st_mode) ? 0 : (long)st->st_size, (unsigned long)st->st_rdev);
}

static void stats(int with(const char *path, void *st))
{
	struct stat st;

	for (const char *const *path = paths; *path; path++) {
		memset(&st, 0, sizeof(st));
		tell("%s", shown(*path));
		CALL(with(*path, &st));
		tell_stat(&st);
	}
	CALL(with("file", BAD));
}

#define STAT_CASE(name, ...)                                                                       \
	static int by_##name(const char *path, void *st)                                           \
	{                                                                                          \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		stats(by_##name);                                                                  \
	}

/* The version that a program of this machine passes. */
#ifdef __x86_64__
#define VERSION 1
#else
#define VERSION 0
#endif

STAT_CASE(stat, path, st)
STAT_CASE(stat64, path, st)
STAT_CASE(lstat, path, st)
STAT_CASE(lstat64, path, st)
STAT_CASE(__xstat, VERSION, path, st)
STAT_CASE(__xstat64, VERSION, path, st)
STAT_CASE(__lxstat, VERSION, path, st)
STAT_CASE(__lxstat64, VERSION, path, st)

static void stats_at(int with(int dirfd, const char *path, void *st, int flags))
{
	static const int flags[] = {0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT,
				    0x40000};
	int dir = dir_fd();
	struct stat st;

	for (const char *const *path = paths; *path; path++)
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			memset(&st, 0, sizeof(st));
			tell("%s 0x%x", shown(*path), flags[i]);
			CALL(with(AT_FDCWD, *path, &st, flags[i]));
			CALL(with(dir, *path, &st, flags[i]));
			tell_stat(&st);
			CALL(with(-1, *path, &st, flags[i]));
		}
	CALL(with(AT_FDCWD, "file", BAD, 0));
	CALL(with(dir, NULL, &st, 0));
}

#define STATAT_CASE(name, ...)                                                                     \
	static int by_##name(int dirfd, const char *path, void *st, int flags)                     \
	{                                                                                          \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		stats_at(by_##name);                                                               \
	}

STATAT_CASE(fstatat, dirfd, path, st, flags)
STATAT_CASE(fstatat64, dirfd, path, st, flags)
STATAT_CASE(__fxstatat, VERSION, dirfd, path, st, flags)
STATAT_CASE(__fxstatat64, VERSION, dirfd, path, st, flags)

CASE(statx)
{
	static const int flags[] = {0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_STATX_DONT_SYNC, 1};
	struct statx st;

	for (const char *const *path = paths; *path; path++)
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			memset(&st, 0, sizeof(st));
			tell("%s 0x%x", shown(*path), flags[i]);
			CALL(the.statx(AT_FDCWD, *path, flags[i], STATX_BASIC_STATS, &st));
			tell("mode 0%o links %u", st.stx_mode, st.stx_nlink);
		}
	CALL(the.statx(dir_fd(), "noiommu-0", 0, STATX_SIZE, &st));
	CALL(the.statx(-1, "file", 0, STATX_SIZE, &st));
	CALL(the.statx(AT_FDCWD, "file", 0, STATX_SIZE, BAD));
	CALL(the.statx(AT_FDCWD, "file", 0, ~0U, &st));
}

static void stats_descriptors(int with(int fd, void *st))
{
	struct stat st = {0};
	int ends[2];
	int fd = own_file(O_RDONLY);

	CALL(with(fd, &st));
	tell_stat(&st);
	CALL(with(fd, BAD));
	CALL(with(-1, &st));
	CALL(with(999, &st));
	CALL(with(100000, &st));
	if (syscall(SYS_pipe2, ends, 0))
		abort();
	CALL(with(ends[0], &st));
	tell_stat(&st);
	CALL(with(dir_fd(), &st));
	tell("directory %d", S_ISDIR(st.st_mode));
	fd = (int)syscall(SYS_openat, AT_FDCWD, "link", O_PATH | O_NOFOLLOW, 0);
	CALL(with(fd, &st));
	tell_stat(&st);
}

#define FSTAT_CASE(name, ...)                                                                      \
	static int by_##name(int fd, void *st)                                                     \
	{                                                                                          \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		stats_descriptors(by_##name);                                                      \
	}

FSTAT_CASE(fstat, fd, st)
FSTAT_CASE(fstat64, fd, st)
FSTAT_CASE(__fxstat, VERSION, fd, st)
FSTAT_CASE(__fxstat64, VERSION, fd, st)

/* ---- chmod, chown ---- */

/* Of this directory alone: others have files of the machine among them. */
static const char *const own[] = {"file", "dir", "link", "dangling", "none", "", BAD};

#define CHANGE_CASE(name, show, ...)                                                               \
	CASE(name)                                                                                 \
	{                                                                                          \
		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {                        \
			const char *path = own[i];                                                 \
			struct stat st;                                                            \
                                                                                                   \
			tell("%s", path == BAD ? "bad" : path);                                    \
			CALL(the.name(__VA_ARGS__));                                               \
			if (path != BAD && !fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW))     \
				tell("%u", (unsigned int)st.show);                                 \
		}                                                                                  \
	}

CHANGE_CASE(chmod, st_mode, path, 0710)
CHANGE_CASE(lchmod, st_mode, path, 0710)
CHANGE_CASE(fchmodat, st_mode, AT_FDCWD, path, 0710, i % 2 ? AT_SYMLINK_NOFOLLOW : 0)
CHANGE_CASE(chown, st_gid, path, (uid_t)-1, getgid())
CHANGE_CASE(lchown, st_gid, path, (uid_t)-1, getgid())
CHANGE_CASE(fchownat, st_gid, AT_FDCWD, path, (uid_t)-1, getgid(), AT_EMPTY_PATH)

/* ---- access ---- */

static void tries(int with(const char *path, int mode))
{
	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		CALL(with(*path, F_OK));
		CALL(with(*path, R_OK | W_OK));
		CALL(with(*path, X_OK));
		CALL(with(*path, 64));
	}
}

static int by_faccessat(const char *path, int mode)
{
	return the.faccessat(AT_FDCWD, path, mode, 0);
}

CASE(access)
{
	tries(the.access);
}

CASE(eaccess)
{
	tries(the.eaccess);
}

CASE(euidaccess)
{
	tries(the.euidaccess);
}

CASE(faccessat)
{
	tries(by_faccessat);
	CALL(the.faccessat(dir_fd(), "noiommu-0", R_OK, 0));
	CALL(the.faccessat(dir_fd(), "file", R_OK, AT_EACCESS));
	CALL(the.faccessat(AT_FDCWD, "dangling", R_OK, AT_SYMLINK_NOFOLLOW));
	CALL(the.faccessat(AT_FDCWD, "file", R_OK, 1));
	CALL(the.faccessat(-1, "file", R_OK, 0));
}

/* ---- extended attributes ---- */

static void gets_attributes(ssize_t with(const char *path, const char *name, void *value,
					 size_t size))
{
	char value[32];

	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		CALL(with(*path, "user.none", value, sizeof(value)));
		CALL(with(*path, "none", value, 0));
	}
	CALL(with("file", BAD, value, sizeof(value)));
}

CASE(getxattr)
{
	gets_attributes(the.getxattr);
}

CASE(lgetxattr)
{
	gets_attributes(the.lgetxattr);
}

static void lists_attributes(ssize_t with(const char *path, char *list, size_t size))
{
	char list[32];

	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		CALL(with(*path, list, sizeof(list)));
		CALL(with(*path, NULL, 0));
	}
}

CASE(listxattr)
{
	lists_attributes(the.listxattr);
}

CASE(llistxattr)
{
	lists_attributes(the.llistxattr);
}

/* ---- the current directory ---- */

static void tell_here(void)
{
	char here[PATH_MAX];

	if (syscall(SYS_getcwd, here, sizeof(here)) > 0)
		tell("in %s", strrchr(here, '/'));
}

CASE(chdir)
{
	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		if (CALL(the.chdir(*path)) || !strcmp(*path, "."))
			continue;
		tell_here();
		CALL(the.chdir(".."));
	}
	tell_here();
}

CASE(fchdir)
{
	int fd = own_file(O_RDONLY);

	CALL(the.fchdir(fd));
	CALL(the.fchdir(-1));
	CALL(the.fchdir(dir_fd()));
	tell_here();
}

static void gets_here(char *with(char *buf, size_t size))
{
	char here[PATH_MAX];
	char *got;

	got = CALL_POINTER(with(here, sizeof(here)), NULL);
	tell("%d %s", got == here, strrchr(here, '/'));
	got = CALL_POINTER(with(NULL, 0), NULL);
	tell("%s", strrchr(got, '/'));
	free(got);
	CALL_POINTER(with(here, 2), NULL);
	CALL_POINTER(with(here, 0), NULL);
}

static char *by_getcwd_chk(char *buf, size_t size)
{
	return the.__getcwd_chk(buf, size, PATH_MAX);
}

CASE(getcwd)
{
	gets_here(the.getcwd);
	if (the.chdir("dir") || syscall(SYS_unlinkat, AT_FDCWD, "noiommu-0", 0) ||
	    syscall(SYS_unlinkat, AT_FDCWD, "../dir", AT_REMOVEDIR))
		abort();
	CALL_POINTER(the.getcwd(NULL, 0), NULL);
}

CASE(__getcwd_chk)
{
	gets_here(by_getcwd_chk);
}

CASE(get_current_dir_name)
{
	char *got = CALL_POINTER(the.get_current_dir_name(), NULL);

	tell("%s", strrchr(got, '/'));
	free(got);
}
