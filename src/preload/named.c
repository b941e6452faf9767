/* SPDX-License-Identifier: MIT */
#include "preload/named.h"

long named_call(const struct named *named, const char *path)
{
	long a[6];

	memcpy(a, named->a, sizeof(a));
	a[named->at] = (long)path;
	return named->call(a[0], a[1], a[2], a[3], a[4], a[5]);
}

long named_like(const struct named *named, const struct name_paths *paths)
{
	return named_call(named, paths->like);
}

long named_find(const struct named *named)
{
	const char *path = (const char *)named->a[named->at];
	struct name_paths paths;

	switch (name_find(named->dirfd, path, named->follow, &paths)) {
	case NAME_REAL:
		errno = named->before;
		return named_call(named, paths.to);
	case NAME_OURS:
		errno = named->before;
		return named->answer(named, &paths);
	case NAME_NOT_DIR:
		errno = ENOTDIR;
		return named->failed;
	case NAME_NOTHING:
		break;
	}
	errno = ENOENT;
	return named->failed;
}

/* An int is returned in half of the register. */
static bool has_failed(const struct named *named, long ret)
{
	return named->failed ? (int)ret == -1 : !ret;
}

long named_make(struct named named)
{
	const char *path = (const char *)named.a[named.at];
	long ret = named.failed;

	named.before = errno;
	if (named_is_asked(named.dirfd, path))
		ret = named_call(&named, path);
	return named_settled(has_failed(&named, ret), named.dirfd, path) ? ret : named_find(&named);
}

/* What follows on a number is the next syscall(). */
long named_by_number(long nr, const long a[6], unsigned int at, bool follow, named_answer *answer)
{
	return named_make((struct named){.call = ANY_CALL(NEXT(syscall)),
					 .a = {nr, a[0], a[1], a[2], a[3], a[4]},
					 .at = at + 1,
					 .dirfd = at ? (int)a[0] : AT_FDCWD,
					 .follow = follow,
					 .failed = -1,
					 .answer = answer});
}
