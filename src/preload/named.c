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

/* Makes the call on what was found. Frees paths. */
static long make_on(const struct named *named, enum name_is is, struct name_paths *paths)
{
	long ret;
	int error;

	errno = named->before;
	ret = is == NAME_REAL ? named_call(named, paths->to) : named->answer(named, paths);
	error = errno;
	name_put(paths);
	errno = error;
	return ret;
}

long named_find(const struct named *named)
{
	const char *path = (const char *)named->a[named->at];
	struct name_paths *paths;
	enum name_is is = name_find(named->dirfd, path, named->follow, &paths);

	if (is == NAME_REAL || is == NAME_OURS)
		return make_on(named, is, paths);
	errno = is == NAME_NOT_DIR ? ENOTDIR : ENOENT;
	return named->failed;
}

/* An int result only sets half of the register. */
static bool has_failed(const struct named *named, long ret)
{
	return named->failed ? (int)ret == -1 : !ret;
}

long named_make(struct named *named)
{
	const char *path = (const char *)named->a[named->at];
	long ret = named->failed;

	named->before = errno;
	if (named_is_asked(named->dirfd, path))
		ret = named_call(named, path);
	return named_settled(has_failed(named, ret), named->dirfd, path) ? ret : named_find(named);
}

/* A system call by number continues with the next syscall(). */
long named_by_number(long nr, const long a[6], unsigned int at, bool follow, named_answer *answer)
{
	return named_make(&(struct named){.call = ANY_CALL(NEXT(syscall)),
					  .a = {nr, a[0], a[1], a[2], a[3], a[4]},
					  .at = at + 1,
					  .dirfd = at ? (int)a[0] : AT_FDCWD,
					  .follow = follow,
					  .failed = -1,
					  .answer = answer});
}
