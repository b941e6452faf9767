/* SPDX-License-Identifier: MIT */
/* stat() of names and descriptors. */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/sys.h"
#include "door/fd.h"
#include "preload/named.h"

/* Both structs are the same on the 64-bit architectures that are supported. */
#ifdef __GLIBC__
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "struct stat64");
#endif

static int our_stat(const char *name, void *st)
{
	struct stat found;
	int ret = name_stat(name, &found);

	if (!ret)
		memcpy(st, &found, sizeof(found));
	return (int)result(ret);
}

/* ret is fstat()'s result: makes *st that of the object which fd stands for. */
static __attribute__((noinline)) int descriptor_stat(int fd, void *st, int ret)
{
	struct stat found;

	if (ret || !fd_is_other(fd))
		return ret;
	memcpy(&found, st, sizeof(found));
	ret = fd_stat(fd, &found);
	if (!ret)
		memcpy(st, &found, sizeof(found));
	return (int)result(ret);
}

/* The struct stat follows the path, in all of these functions. */
static long answer_stat(const struct named *named, const struct name_paths *paths)
{
	return our_stat(paths->to, (void *)named->a[named->at + 1]);
}

__attribute__((noinline)) static int find_stat(int before, any_call *call, const char *path,
					       void *st, bool follow)
{
	return (int)named_find(&(struct named){.call = call,
					       .a = {(long)path, (long)st},
					       .dirfd = AT_FDCWD,
					       .follow = follow,
					       .failed = -1,
					       .before = before,
					       .answer = answer_stat});
}

__attribute__((noinline)) static int find_stat_at(int before, any_call *call, int dirfd,
						  const char *path, void *st, int flags)
{
	return (int)named_find(&(struct named){.call = call,
					       .a = {dirfd, (long)path, (long)st, flags},
					       .at = 1,
					       .dirfd = dirfd,
					       .follow = !(flags & AT_SYMLINK_NOFOLLOW),
					       .failed = -1,
					       .before = before,
					       .answer = answer_stat});
}

__attribute__((noinline)) static int find_xstat(int before, any_call *call, int version,
						const char *path, void *st, bool follow)
{
	return (int)named_find(&(struct named){.call = call,
					       .a = {version, (long)path, (long)st},
					       .at = 1,
					       .dirfd = AT_FDCWD,
					       .follow = follow,
					       .failed = -1,
					       .before = before,
					       .answer = answer_stat});
}

int stat(const char *path, struct stat *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(stat)(path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_stat(before, ANY_CALL(NEXT(stat)), path, st, true);
}

int stat64(const char *path, struct stat64 *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(stat64)(path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_stat(before, ANY_CALL(NEXT(stat64)), path, st, true);
}

int lstat(const char *path, struct stat *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(lstat)(path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_stat(before, ANY_CALL(NEXT(lstat)), path, st, false);
}

int lstat64(const char *path, struct stat64 *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(lstat64)(path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_stat(before, ANY_CALL(NEXT(lstat64)), path, st, false);
}

int fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	int before = errno, ret;

	if (flags & AT_EMPTY_PATH && fd_is_other(dirfd))
		return descriptor_stat(dirfd, st, NEXT(fstatat)(dirfd, path, st, flags));
	ret = named_is_asked(dirfd, path) ? NEXT(fstatat)(dirfd, path, st, flags) : -1;
	return named_settled(ret, dirfd, path)
		       ? ret
		       : find_stat_at(before, ANY_CALL(NEXT(fstatat)), dirfd, path, st, flags);
}

int fstatat64(int dirfd, const char *path, struct stat64 *st, int flags)
{
	int before = errno, ret;

	if (flags & AT_EMPTY_PATH && fd_is_other(dirfd))
		return descriptor_stat(dirfd, st, NEXT(fstatat64)(dirfd, path, st, flags));
	ret = named_is_asked(dirfd, path) ? NEXT(fstatat64)(dirfd, path, st, flags) : -1;
	return named_settled(ret, dirfd, path)
		       ? ret
		       : find_stat_at(before, ANY_CALL(NEXT(fstatat64)), dirfd, path, st, flags);
}

int __xstat(int version, const char *path, struct stat *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(__xstat)(version, path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_xstat(before, ANY_CALL(NEXT(__xstat)), version, path, st, true);
}

int __xstat64(int version, const char *path, struct stat64 *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(__xstat64)(version, path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_xstat(before, ANY_CALL(NEXT(__xstat64)), version, path, st, true);
}

int __lxstat(int version, const char *path, struct stat *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(__lxstat)(version, path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_xstat(before, ANY_CALL(NEXT(__lxstat)), version, path, st, false);
}

int __lxstat64(int version, const char *path, struct stat64 *st)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(__lxstat64)(version, path, st) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_xstat(before, ANY_CALL(NEXT(__lxstat64)), version, path, st, false);
}

static int xstat_path_at(int version, int dirfd, const char *path, void *st, int flags,
			 any_call *call)
{
	return (int)named_make(&(struct named){.call = call,
					       .a = {version, dirfd, (long)path, (long)st, flags},
					       .at = 2,
					       .dirfd = dirfd,
					       .follow = !(flags & AT_SYMLINK_NOFOLLOW),
					       .failed = -1,
					       .answer = answer_stat});
}

int __fxstatat(int version, int dirfd, const char *path, struct stat *st, int flags)
{
	return xstat_path_at(version, dirfd, path, st, flags, ANY_CALL(NEXT(__fxstatat)));
}

int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *st, int flags)
{
	return xstat_path_at(version, dirfd, path, st, flags, ANY_CALL(NEXT(__fxstatat64)));
}

int fstat(int fd, struct stat *st)
{
	return descriptor_stat(fd, st, NEXT(fstat)(fd, st));
}

int fstat64(int fd, struct stat64 *st)
{
	return descriptor_stat(fd, st, NEXT(fstat64)(fd, st));
}

int __fxstat(int version, int fd, struct stat *st)
{
	return descriptor_stat(fd, st, NEXT(__fxstat)(version, fd, st));
}

int __fxstat64(int version, int fd, struct stat64 *st)
{
	return descriptor_stat(fd, st, NEXT(__fxstat64)(version, fd, st));
}

static void fill_statx(const struct stat *st, struct statx *stx)
{
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st->st_blksize,
		.stx_nlink = (uint32_t)st->st_nlink,
		.stx_uid = st->st_uid,
		.stx_gid = st->st_gid,
		.stx_mode = (uint16_t)st->st_mode,
		.stx_ino = st->st_ino,
		.stx_size = (uint64_t)st->st_size,
		.stx_atime = {.tv_sec = st->st_atim.tv_sec},
		.stx_mtime = {.tv_sec = st->st_mtim.tv_sec},
		.stx_ctime = {.tv_sec = st->st_ctim.tv_sec},
		.stx_rdev_major = major(st->st_rdev),
		.stx_rdev_minor = minor(st->st_rdev),
		.stx_dev_major = major(st->st_dev),
		.stx_dev_minor = minor(st->st_dev),
	};
}

static int our_statx(const char *name, struct statx *stx)
{
	struct stat st;
	int ret = name_stat(name, &st);

	if (!ret)
		fill_statx(&st, stx);
	return (int)result(ret);
}

/* statx() of a descriptor that stands for another object. */
static int descriptor_statx(int fd, struct statx *stx)
{
	struct stat st;
	int ret = fd_stat(fd, &st);

	if (!ret)
		fill_statx(&st, stx);
	return (int)result(ret);
}

static __attribute__((noinline)) int described(int fd, const char *path, struct statx *stx, int ret)
{
	return ret || *path ? ret : descriptor_statx(fd, stx);
}

/* The struct statx follows the path, the flags and the mask. */
static long answer_statx(const struct named *named, const struct name_paths *paths)
{
	return our_statx(paths->to, (struct statx *)named->a[named->at + 3]);
}

int statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	if (flags & AT_EMPTY_PATH && fd_is_other(dirfd))
		return described(dirfd, path, st, NEXT(statx)(dirfd, path, flags, mask, st));
	return (int)named_make(&(struct named){.call = ANY_CALL(NEXT(statx)),
					       .a = {dirfd, (long)path, flags, mask, (long)st},
					       .at = 1,
					       .dirfd = dirfd,
					       .follow = !(flags & AT_SYMLINK_NOFOLLOW),
					       .failed = -1,
					       .answer = answer_statx});
}

/* ---- by number ---- */

#define FD   ((int)a[0])
#define CALL BY_NUMBER(nr, a)

bool stat_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
#ifdef SYS_stat
	case SYS_stat:
	case SYS_lstat:
		*ret = named_by_number(nr, a, 0, nr == SYS_stat, answer_stat);
		return true;
#endif
	case SYS_newfstatat:
		*ret = a[3] & AT_EMPTY_PATH && fd_is_other(FD)
			       ? descriptor_stat(FD, (void *)a[2], (int)CALL)
			       : named_by_number(nr, a, 1, !(a[3] & AT_SYMLINK_NOFOLLOW),
						 answer_stat);
		return true;
	case SYS_fstat:
		*ret = descriptor_stat(FD, (void *)a[1], (int)CALL);
		return true;
	case SYS_statx:
		*ret = a[2] & AT_EMPTY_PATH && fd_is_other(FD)
			       ? described(FD, (const char *)a[1], (struct statx *)a[4], (int)CALL)
			       : named_by_number(nr, a, 1, !(a[2] & AT_SYMLINK_NOFOLLOW),
						 answer_statx);
		return true;
	default:
		return false;
	}
}
