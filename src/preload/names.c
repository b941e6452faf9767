/* SPDX-License-Identifier: MIT */
/* Calls on names: readlink, realpath, access, getxattr, chdir. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdtab.h"
#include "base/sys.h"
#include "door/fd.h"
#include "door/name.h"
#include "preload/named.h"

/* ---- links ---- */

static ssize_t link_was_read(int dirfd, const char *path, char *buf, size_t size, ssize_t len)
{
	/* The links in /proc/self/fd have absolute paths. */
	if (len <= 0 || *buf != '/')
		return len;
	return result(name_link_was_read(dirfd, path, buf, size, len));
}

/* The buffer and its size follow the path, in all of these functions. */
static long answer_link(const struct named *named, const struct name_paths *paths)
{
	const long *a = named->a + named->at;

	return result(name_readlink(paths->to, (char *)a[1], (size_t)a[2]));
}

static ssize_t read_link(struct named *named)
{
	const long *a = named->a + named->at;

	named->failed = -1;
	named->answer = answer_link;
	return link_was_read(named->dirfd, (const char *)a[0], (char *)a[1], (size_t)a[2],
			     named_make(named));
}

/* "" names a link that was opened with O_PATH; for other files it is an error. */
static __attribute__((noinline)) ssize_t opened_link(int fd, char *buf, size_t size)
{
	char name[NAME_PATH];
	ssize_t ret;

	name_of_fd(fd, name);
	ret = name_readlink(name, buf, size);
	return result(ret == -EINVAL ? -ENOENT : ret);
}

static bool is_opened_link(int dirfd, const char *path)
{
	return fdtab_kind(dirfd) == FD_STANDIN && name_is_empty(path);
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
	return read_link(&(struct named){.call = ANY_CALL(NEXT(readlink)),
					 .a = {(long)path, (long)buf, (long)size},
					 .dirfd = AT_FDCWD});
}

ssize_t readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	if (is_opened_link(dirfd, path))
		return opened_link(dirfd, buf, size);
	return read_link(&(struct named){.call = ANY_CALL(NEXT(readlinkat)),
					 .a = {dirfd, (long)path, (long)buf, (long)size},
					 .at = 1,
					 .dirfd = dirfd});
}

ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t buf_size)
{
	return read_link(&(struct named){.call = ANY_CALL(NEXT(__readlink_chk)),
					 .a = {(long)path, (long)buf, (long)size, (long)buf_size},
					 .dirfd = AT_FDCWD});
}

ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t buf_size)
{
	return read_link(
		&(struct named){.call = ANY_CALL(NEXT(__readlinkat_chk)),
				.a = {dirfd, (long)path, (long)buf, (long)size, (long)buf_size},
				.at = 1,
				.dirfd = dirfd});
}

/* The argument after the path is the buffer, or NULL. */
static long answer_realpath(const struct named *named, const struct name_paths *paths)
{
	char *to = (char *)named->a[1];

	return (long)(to ? strcpy(to, paths->to) : strdup(paths->to));
}

static char *resolve(any_call *call, const char *path, char *to, size_t to_size)
{
	return (char *)named_make(&(struct named){.call = call,
						  .a = {(long)path, (long)to, (long)to_size},
						  .dirfd = AT_FDCWD,
						  .follow = true,
						  .answer = answer_realpath});
}

char *realpath(const char *path, char *to_path)
{
	return resolve(ANY_CALL(NEXT(realpath)), path, to_path, 0);
}

char *__realpath_chk(const char *path, char *to_path, size_t to_size)
{
	return resolve(ANY_CALL(NEXT(__realpath_chk)), path, to_path, to_size);
}

char *canonicalize_file_name(const char *path)
{
	return resolve(ANY_CALL(NEXT(canonicalize_file_name)), path, NULL, 0);
}

/* ---- access ---- */

/* Access to the name is what the kernel permits on the model. */
__attribute__((noinline)) static int find_access(int before, any_call *call, const char *path,
						 int mode)
{
	return (int)named_find(&(struct named){.call = call,
					       .a = {(long)path, mode},
					       .dirfd = AT_FDCWD,
					       .follow = true,
					       .failed = -1,
					       .before = before,
					       .answer = named_like});
}

int access(const char *path, int mode)
{
	int before = errno;
	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(access)(path, mode) : -1;

	return named_settled(ret, AT_FDCWD, path)
		       ? ret
		       : find_access(before, ANY_CALL(NEXT(access)), path, mode);
}

static int effective_access(const char *path, int mode, any_call *call)
{
	return (int)named_make(&(struct named){.call = call,
					       .a = {(long)path, mode},
					       .dirfd = AT_FDCWD,
					       .follow = true,
					       .failed = -1,
					       .answer = named_like});
}

int eaccess(const char *path, int mode)
{
	return effective_access(path, mode, ANY_CALL(NEXT(eaccess)));
}

int euidaccess(const char *path, int mode)
{
	return effective_access(path, mode, ANY_CALL(NEXT(euidaccess)));
}

int faccessat(int dirfd, const char *path, int mode, int flags)
{
	return (int)named_make(&(struct named){.call = ANY_CALL(NEXT(faccessat)),
					       .a = {dirfd, (long)path, mode, flags},
					       .at = 1,
					       .dirfd = dirfd,
					       .follow = !(flags & AT_SYMLINK_NOFOLLOW),
					       .failed = -1,
					       .answer = named_like});
}

/* ---- extended attributes ---- */

static ssize_t get_attribute(const char *path, bool follow, long b, long c, long d, any_call *call)
{
	return named_make(&(struct named){.call = call,
					  .a = {(long)path, b, c, d},
					  .dirfd = AT_FDCWD,
					  .follow = follow,
					  .failed = -1,
					  .answer = named_like});
}

ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
	return get_attribute(path, true, (long)name, (long)value, (long)size,
			     ANY_CALL(NEXT(getxattr)));
}

ssize_t lgetxattr(const char *path, const char *name, void *value, size_t size)
{
	return get_attribute(path, false, (long)name, (long)value, (long)size,
			     ANY_CALL(NEXT(lgetxattr)));
}

ssize_t listxattr(const char *path, char *list, size_t size)
{
	return get_attribute(path, true, (long)list, (long)size, 0, ANY_CALL(NEXT(listxattr)));
}

ssize_t llistxattr(const char *path, char *list, size_t size)
{
	return get_attribute(path, false, (long)list, (long)size, 0, ANY_CALL(NEXT(llistxattr)));
}

/* ---- the current directory ---- */

static int entered(const char *name, int ret)
{
	if (!ret && (name || name_is_in_ours()))
		name_entered(name);
	return ret;
}

static long chdir_next(const char *path)
{
	return entered(NULL, NEXT(chdir)(path));
}

static long chdir_by_number(const char *path)
{
	return entered(NULL, (int)NEXT(syscall)(SYS_chdir, path));
}

/* The process then is in the model. */
static long answer_chdir(const struct named *named, const struct name_paths *paths)
{
	return entered(paths->to, (int)named_call(named, paths->like));
}

static int enter(const char *path, long call(const char *))
{
	return (int)named_make(&(struct named){.call = ANY_CALL(call),
					       .a = {(long)path},
					       .dirfd = AT_FDCWD,
					       .follow = true,
					       .failed = -1,
					       .answer = answer_chdir});
}

int chdir(const char *path)
{
	return enter(path, chdir_next);
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

static ssize_t link_by_number(long nr, const long a[6], unsigned int at)
{
	return read_link(&(struct named){.call = ANY_CALL(NEXT(syscall)),
					 .a = {nr, a[0], a[1], a[2], a[3], a[4]},
					 .at = at + 1,
					 .dirfd = at ? (int)a[0] : AT_FDCWD});
}

/* Unlike getcwd(), the system call returns a length. */
static long getcwd_by_number(long nr, const long a[6])
{
	ssize_t len = name_is_in_ours() ? name_getcwd((char *)a[0], (size_t)a[1]) : 0;

	return len ? result(len) : BY_NUMBER(nr, a);
}

#define FD   ((int)a[0])
#define CALL BY_NUMBER(nr, a)

bool names_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
#ifdef SYS_readlink
	case SYS_readlink:
		*ret = link_by_number(nr, a, 0);
		return true;
	case SYS_access:
		*ret = named_by_number(nr, a, 0, true, named_like);
		return true;
#endif
	case SYS_readlinkat:
		*ret = is_opened_link(FD, (const char *)a[1])
			       ? opened_link(FD, (char *)a[2], (size_t)a[3])
			       : link_by_number(nr, a, 1);
		return true;
	case SYS_faccessat:
		*ret = named_by_number(nr, a, 1, true, named_like);
		return true;
	case SYS_faccessat2:
		*ret = named_by_number(nr, a, 1, !(a[3] & AT_SYMLINK_NOFOLLOW), named_like);
		return true;
	case SYS_getxattr:
	case SYS_listxattr:
		*ret = named_by_number(nr, a, 0, true, named_like);
		return true;
	case SYS_lgetxattr:
	case SYS_llistxattr:
		*ret = named_by_number(nr, a, 0, false, named_like);
		return true;
	case SYS_getcwd:
		*ret = getcwd_by_number(nr, a);
		return true;
	case SYS_chdir:
		*ret = enter((const char *)a[0], chdir_by_number);
		return true;
	case SYS_fchdir:
		*ret = descriptor_entered(FD, (int)CALL);
		return true;
	default:
		return false;
	}
}
