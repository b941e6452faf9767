/* SPDX-License-Identifier: MIT */
/*
 * chmod and chown on names. Changing the node of a container or group is meant for the
 * driver's user, who opens the file behind it; so that is changed as well.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "door/name.h"
#include "preload/named.h"
#include "uapi/syscall.h"

static bool is_node(const char *path)
{
	return !strncmp(path, "/dev/", 5);
}

/* Directories and links of the view cannot be changed. */
static long answer_change(const struct named *named, const struct name_paths *paths)
{
	if (is_node(paths->like))
		return named_like(named, paths);
	errno = EPERM;
	return -1;
}

/* The kernel has changed its own node: makes the same change to the one behind it. */
static __attribute__((noinline)) void follow(const struct named *named, const char *path)
{
	struct name_paths *paths;
	enum name_is is = name_find(named->dirfd, path, named->follow, &paths);

	if (is != NAME_OURS && is != NAME_REAL)
		return;
	if (is == NAME_OURS && is_node(paths->like) && (int)named_like(named, paths) == -1)
		log_warn("owner or mode of %s has changed, and that of %s, which it leads to, has "
			 "not (%e): change that in the same way",
			 path, paths->like, -errno);
	name_put(paths);
}

static int change(struct named *named)
{
	const char *path = (const char *)named->a[named->at];
	int before = errno;
	int ret;

	named->failed = -1;
	named->answer = answer_change;
	ret = (int)named_make(named);
	if (ret == -1)
		return ret;
	if (*path && name_may_be_ours(path)) {
		follow(named, path);
		errno = before;
	}
	return ret;
}

int chmod(const char *path, mode_t mode)
{
	return change(&(struct named){.call = ANY_CALL(NEXT(chmod)),
				      .a = {(long)path, mode},
				      .dirfd = AT_FDCWD,
				      .follow = true});
}

int lchmod(const char *path, mode_t mode)
{
	return change(&(struct named){
		.call = ANY_CALL(NEXT(lchmod)), .a = {(long)path, mode}, .dirfd = AT_FDCWD});
}

int fchmodat(int dirfd, const char *path, mode_t mode, int flags)
{
	return change(&(struct named){.call = ANY_CALL(NEXT(fchmodat)),
				      .a = {dirfd, (long)path, mode, flags},
				      .at = 1,
				      .dirfd = dirfd,
				      .follow = !(flags & AT_SYMLINK_NOFOLLOW)});
}

int chown(const char *path, uid_t owner, gid_t group)
{
	return change(&(struct named){.call = ANY_CALL(NEXT(chown)),
				      .a = {(long)path, owner, group},
				      .dirfd = AT_FDCWD,
				      .follow = true});
}

int lchown(const char *path, uid_t owner, gid_t group)
{
	return change(&(struct named){.call = ANY_CALL(NEXT(lchown)),
				      .a = {(long)path, owner, group},
				      .dirfd = AT_FDCWD});
}

int fchownat(int dirfd, const char *path, uid_t owner, gid_t group, int flags)
{
	return change(&(struct named){.call = ANY_CALL(NEXT(fchownat)),
				      .a = {dirfd, (long)path, owner, group, flags},
				      .at = 1,
				      .dirfd = dirfd,
				      .follow = !(flags & AT_SYMLINK_NOFOLLOW)});
}

/* ---- by number ---- */

static int change_by_number(long nr, const long a[6], unsigned int at, bool follow)
{
	return change(&(struct named){.call = ANY_CALL(NEXT(syscall)),
				      .a = {nr, a[0], a[1], a[2], a[3], a[4]},
				      .at = at + 1,
				      .dirfd = at ? (int)a[0] : AT_FDCWD,
				      .follow = follow});
}

bool owner_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
#ifdef SYS_chmod
	case SYS_chmod:
	case SYS_chown:
		*ret = change_by_number(nr, a, 0, true);
		return true;
	case SYS_lchown:
		*ret = change_by_number(nr, a, 0, false);
		return true;
#endif
	case SYS_fchmodat:
		*ret = change_by_number(nr, a, 1, true);
		return true;
	case SYS_fchownat:
		*ret = change_by_number(nr, a, 1, !(a[4] & AT_SYMLINK_NOFOLLOW));
		return true;
	default:
		return false;
	}
}
