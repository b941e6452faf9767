/* SPDX-License-Identifier: MIT */
/*
 * What a name stands for: readlink, realpath, stat, access, getxattr, chdir.
 *
 * The kernel is asked first. Only where it says ENOENT, and the name may be
 * one that it would have with groups, is the name looked up in our view.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fdtab.h"
#include "base/sys.h"
#include "door/fd.h"
#include "door/name.h"
#include "preload/named.h"

/* ---- links ---- */

static ssize_t link_was_read(const char *path, char *buf, size_t size, ssize_t len)
{
	/* What is under /proc/self/fd reads as an absolute path. */
	if (len <= 0 || *buf != '/')
		return len;
	return result(name_link_was_read(path, buf, size, len));
}

#define LINK(dirfd, path, buf, size, call, real)                                                   \
	link_was_read(path, buf, size,                                                             \
		      NAMED(dirfd, path, false, -1, call, real,                                    \
			    result(name_readlink(names.to, buf, size))))

ssize_t readlink(const char *path, char *buf, size_t size)
{
	return LINK(AT_FDCWD, path, buf, size, NEXT(readlink)(path, buf, size),
		    NEXT(readlink)(names.to, buf, size));
}

/* The link that was opened with O_PATH is itself what "" names; of others that is nothing. */
static ssize_t opened_link(int fd, char *buf, size_t size)
{
	char name[NAME_PATH];
	ssize_t ret;

	name_of_fd(fd, name);
	ret = name_readlink(name, buf, size);
	return result(ret == -EINVAL ? -ENOENT : ret);
}

#define LINK_AT(dirfd, path, buf, size, call, real)                                                \
	(fdtab_kind(dirfd) == FD_STANDIN && name_is_empty(path)                                    \
		 ? opened_link(dirfd, buf, size)                                                   \
		 : LINK(dirfd, path, buf, size, call, real))

ssize_t readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	return LINK_AT(dirfd, path, buf, size, NEXT(readlinkat)(dirfd, path, buf, size),
		       NEXT(readlinkat)(dirfd, names.to, buf, size));
}

ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t buf_size)
{
	return LINK(AT_FDCWD, path, buf, size, NEXT(__readlink_chk)(path, buf, size, buf_size),
		    NEXT(__readlink_chk)(names.to, buf, size, buf_size));
}

ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t buf_size)
{
	return LINK(dirfd, path, buf, size,
		    NEXT(__readlinkat_chk)(dirfd, path, buf, size, buf_size),
		    NEXT(__readlink_chk)(names.to, buf, size, buf_size));
}

static char *resolved(const char *name, char *to)
{
	return to ? strcpy(to, name) : strdup(name);
}

char *realpath(const char *path, char *to_path)
{
	return NAMED(AT_FDCWD, path, true, NULL, NEXT(realpath)(path, to_path),
		     NEXT(realpath)(names.to, to_path), resolved(names.to, to_path));
}

char *__realpath_chk(const char *path, char *to_path, size_t to_size)
{
	return NAMED(AT_FDCWD, path, true, NULL, NEXT(__realpath_chk)(path, to_path, to_size),
		     NEXT(__realpath_chk)(names.to, to_path, to_size), resolved(names.to, to_path));
}

char *canonicalize_file_name(const char *path)
{
	return NAMED(AT_FDCWD, path, true, NULL, NEXT(canonicalize_file_name)(path),
		     NEXT(canonicalize_file_name)(names.to), resolved(names.to, NULL));
}

/* ---- stat ---- */

/* On the 64-bit machines that we serve the two structs are one. */
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

/* ret is fstat()'s: a container or group shows what a native one would. */
static int descriptor_stat(int fd, void *st, int ret)
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

#define STAT(dirfd, path, follow, st, call, real)                                                  \
	NAMED(dirfd, path, follow, -1, call, real, our_stat(names.to, st))

#define STAT_AT(dirfd, path, flags, st, call, real)                                                \
	((flags)&AT_EMPTY_PATH && fd_is_other(dirfd)                                               \
		 ? descriptor_stat(dirfd, st, (int)(call))                                         \
		 : (int)STAT(dirfd, path, !((flags)&AT_SYMLINK_NOFOLLOW), st, call, real))

int stat(const char *path, struct stat *st)
{
	return STAT(AT_FDCWD, path, true, st, NEXT(stat)(path, st), NEXT(stat)(names.to, st));
}

int stat64(const char *path, struct stat64 *st)
{
	return STAT(AT_FDCWD, path, true, st, NEXT(stat64)(path, st), NEXT(stat64)(names.to, st));
}

int lstat(const char *path, struct stat *st)
{
	return STAT(AT_FDCWD, path, false, st, NEXT(lstat)(path, st), NEXT(lstat)(names.to, st));
}

int lstat64(const char *path, struct stat64 *st)
{
	return STAT(AT_FDCWD, path, false, st, NEXT(lstat64)(path, st),
		    NEXT(lstat64)(names.to, st));
}

int fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return STAT_AT(dirfd, path, flags, st, NEXT(fstatat)(dirfd, path, st, flags),
		       NEXT(fstatat)(dirfd, names.to, st, flags));
}

int fstatat64(int dirfd, const char *path, struct stat64 *st, int flags)
{
	return STAT_AT(dirfd, path, flags, st, NEXT(fstatat64)(dirfd, path, st, flags),
		       NEXT(fstatat64)(dirfd, names.to, st, flags));
}

int __xstat(int version, const char *path, struct stat *st)
{
	return STAT(AT_FDCWD, path, true, st, NEXT(__xstat)(version, path, st),
		    NEXT(__xstat)(version, names.to, st));
}

int __xstat64(int version, const char *path, struct stat64 *st)
{
	return STAT(AT_FDCWD, path, true, st, NEXT(__xstat64)(version, path, st),
		    NEXT(__xstat64)(version, names.to, st));
}

int __lxstat(int version, const char *path, struct stat *st)
{
	return STAT(AT_FDCWD, path, false, st, NEXT(__lxstat)(version, path, st),
		    NEXT(__lxstat)(version, names.to, st));
}

int __lxstat64(int version, const char *path, struct stat64 *st)
{
	return STAT(AT_FDCWD, path, false, st, NEXT(__lxstat64)(version, path, st),
		    NEXT(__lxstat64)(version, names.to, st));
}

int __fxstatat(int version, int dirfd, const char *path, struct stat *st, int flags)
{
	return STAT(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), st,
		    NEXT(__fxstatat)(version, dirfd, path, st, flags),
		    NEXT(__fxstatat)(version, dirfd, names.to, st, flags));
}

int __fxstatat64(int version, int dirfd, const char *path, struct stat64 *st, int flags)
{
	return STAT(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), st,
		    NEXT(__fxstatat64)(version, dirfd, path, st, flags),
		    NEXT(__fxstatat64)(version, dirfd, names.to, st, flags));
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

/* Of a container or group by its descriptor: as the node that was opened. */
static int descriptor_statx(int fd, struct statx *stx)
{
	struct stat st;
	int ret = fd_stat(fd, &st);

	if (!ret)
		fill_statx(&st, stx);
	return (int)result(ret);
}

static int described(int fd, const char *path, struct statx *stx, int ret)
{
	return ret || *path ? ret : descriptor_statx(fd, stx);
}

#define STATX(dirfd, path, flags, stx, call, real)                                                 \
	((flags)&AT_EMPTY_PATH && fd_is_other(dirfd)                                               \
		 ? described(dirfd, path, stx, (int)(call))                                        \
		 : (int)NAMED(dirfd, path, !((flags)&AT_SYMLINK_NOFOLLOW), -1, call, real,         \
			      our_statx(names.to, stx)))

int statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	return STATX(dirfd, path, flags, st, NEXT(statx)(dirfd, path, flags, mask, st),
		     NEXT(statx)(dirfd, names.to, flags, mask, st));
}

/* ---- access ---- */

/* What the kernel lets do with the model can be done with ours. */

int access(const char *path, int mode)
{
	return NAMED(AT_FDCWD, path, true, -1, NEXT(access)(path, mode),
		     NEXT(access)(names.to, mode), NEXT(access)(names.like, mode));
}

int eaccess(const char *path, int mode)
{
	return NAMED(AT_FDCWD, path, true, -1, NEXT(eaccess)(path, mode),
		     NEXT(eaccess)(names.to, mode), NEXT(eaccess)(names.like, mode));
}

int euidaccess(const char *path, int mode)
{
	return NAMED(AT_FDCWD, path, true, -1, NEXT(euidaccess)(path, mode),
		     NEXT(euidaccess)(names.to, mode), NEXT(euidaccess)(names.like, mode));
}

int faccessat(int dirfd, const char *path, int mode, int flags)
{
	return NAMED(dirfd, path, !(flags & AT_SYMLINK_NOFOLLOW), -1,
		     NEXT(faccessat)(dirfd, path, mode, flags),
		     NEXT(faccessat)(dirfd, names.to, mode, flags),
		     NEXT(faccessat)(dirfd, names.like, mode, flags));
}

/* ---- extended attributes ---- */

#define XATTR(name, path, follow, ...)                                                             \
	NAMED(AT_FDCWD, path, follow, -1, NEXT(name)(path, __VA_ARGS__),                           \
	      NEXT(name)(names.to, __VA_ARGS__), NEXT(name)(names.like, __VA_ARGS__))

ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
	return XATTR(getxattr, path, true, name, value, size);
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
	return XATTR(lgetxattr, path, false, name, value, size);
}

ssize_t listxattr(const char *path, char *list, size_t size)
{
	return XATTR(listxattr, path, true, list, size);
}

ssize_t llistxattr(const char *path, char *list, size_t size)
{
	return XATTR(llistxattr, path, false, list, size);
}

/* ---- the current directory ---- */

static int entered(const char *name, int ret)
{
	if (!ret && (name || name_is_in_ours()))
		name_entered(name);
	return ret;
}

#define CHDIR(path, next)                                                                          \
	NAMED(AT_FDCWD, path, true, -1, entered(NULL, (int)next(path)),                            \
	      entered(NULL, (int)next(names.to)), entered(names.to, (int)next(names.like)))

int chdir(const char *path)
{
	return CHDIR(path, NEXT(chdir));
}

static int descriptor_entered(int fd, int ret)
{
	char name[NAME_PATH];
	bool ours = fdtab_kind(fd) == FD_STANDIN && name_of_fd(fd, name);

	return entered(ours ? name : NULL, ret);
}

int fchdir(int fd)
{
	return descriptor_entered(fd, NEXT(fchdir)(fd));
}

char *getcwd(char *buf, size_t size)
{
	char *to = buf;
	ssize_t len;

	if (!name_is_in_ours() || (buf && !size))
		return NEXT(getcwd)(buf, size);
	size = size ? size : NAME_PATH;
	if (!to)
		to = malloc(size);
	if (!to)
		return NULL;
	len = name_getcwd(to, size);
	if (len > 0)
		return to;
	if (!buf)
		free(to);
	return len ? (result(len), NULL) : NEXT(getcwd)(buf, size);
}

char *__getcwd_chk(char *buf, size_t size, size_t buf_size)
{
	return name_is_in_ours() && size <= buf_size ? getcwd(buf, size)
						     : NEXT(__getcwd_chk)(buf, size, buf_size);
}

char *get_current_dir_name(void)
{
	return name_is_in_ours() ? getcwd(NULL, 0) : NEXT(get_current_dir_name)();
}

/* ---- by number ---- */

#define FD	      ((int)a[0])
#define PATH	      ((const char *)a[0])
#define AT	      ((const char *)a[1])
#define CALL	      BY_NUMBER(nr, a)
#define CALL_ON(name) NEXT(syscall)(nr, name, a[1], a[2])
#define CALL_AT(name) NEXT(syscall)(nr, a[0], name, a[2], a[3], a[4])

static inline long chdir_by_number(const char *path)
{
	return NEXT(syscall)(SYS_chdir, path);
}

bool names_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
#ifdef SYS_stat
	case SYS_readlink:
		*ret = LINK(AT_FDCWD, PATH, (char *)a[1], (size_t)a[2], CALL, CALL_ON(names.to));
		return true;
	case SYS_stat:
		*ret = STAT(AT_FDCWD, PATH, true, (void *)a[1], CALL, CALL_ON(names.to));
		return true;
	case SYS_lstat:
		*ret = STAT(AT_FDCWD, PATH, false, (void *)a[1], CALL, CALL_ON(names.to));
		return true;
	case SYS_access:
		*ret = NAMED(AT_FDCWD, PATH, true, -1, CALL, CALL_ON(names.to),
			     CALL_ON(names.like));
		return true;
#endif
	case SYS_readlinkat:
		*ret = LINK_AT(FD, AT, (char *)a[2], (size_t)a[3], CALL, CALL_AT(names.to));
		return true;
	case SYS_newfstatat:
		*ret = STAT_AT(FD, AT, (int)a[3], (void *)a[2], CALL, CALL_AT(names.to));
		return true;
	case SYS_fstat:
		*ret = descriptor_stat(FD, (void *)a[1], (int)CALL);
		return true;
	case SYS_statx:
		*ret = STATX(FD, AT, (int)a[2], (struct statx *)a[4], CALL, CALL_AT(names.to));
		return true;
	case SYS_faccessat:
		*ret = NAMED(FD, AT, true, -1, CALL, CALL_AT(names.to), CALL_AT(names.like));
		return true;
	case SYS_faccessat2:
		*ret = NAMED(FD, AT, !((int)a[3] & AT_SYMLINK_NOFOLLOW), -1, CALL,
			     CALL_AT(names.to), CALL_AT(names.like));
		return true;
	case SYS_chdir:
		*ret = CHDIR(PATH, chdir_by_number);
		return true;
	case SYS_fchdir:
		*ret = descriptor_entered(FD, (int)CALL);
		return true;
	default:
		return false;
	}
}
