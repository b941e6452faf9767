/* SPDX-License-Identifier: MIT */
/*
 * Calls on a name. The kernel is asked first. If it returns ENOENT, and the view
 * (tree/view.h) may have the name, the view is searched. The call is then made with
 * another path, or answered here.
 */
#ifndef PRELOAD_NAMED_H
#define PRELOAD_NAMED_H

#include "door/name.h"
#include "preload/next.h"

/* Any function with at most six integer or pointer arguments. */
typedef long any_call(long a, long b, long c, long d, long e, long f);
#define ANY_CALL(function) ((any_call *)(void (*)(void))(function))

/*
 * For a call that is made often: for other names it only costs these tests.
 *
 *	int before = errno;
 *	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(access)(path, mode) : -1;
 *
 *	return named_settled(ret, AT_FDCWD, path) ? ret : named_find(...);
 *
 * False, with errno, for a path relative to a stand-in.
 */
static inline bool named_is_asked(int dirfd, const char *path)
{
	if (!name_begins_below(dirfd, path))
		return true;
	errno = ENOENT;
	return false;
}

/* False if the view may have the name, so that the kernel's answer is not final. */
static inline bool named_settled(bool failed, int dirfd, const char *path)
{
	return __builtin_expect(!failed, 1) || errno != ENOENT ||
	       (!name_may_be_added(path) && !name_begins_below(dirfd, path));
}

struct named;

/* Answers the call for a name that only the view has; sets errno. */
typedef long named_answer(const struct named *named, const struct name_paths *paths);

struct named {
	any_call *call;
	long a[6];	 /* its arguments */
	unsigned int at; /* index of the path in a */
	int dirfd;
	bool follow; /* follow a link at the end */
	long failed; /* its result on failure */
	int before;  /* errno before the call */
	named_answer *answer;
};

#pragma GCC visibility push(hidden)

/* Makes the call, and searches the view if that does not settle it. Sets before. */
long named_make(struct named *named);

/* The same for system call nr, where a[at] is the path. */
long named_by_number(long nr, const long a[6], unsigned int at, bool follow, named_answer *answer);

/* The second half of named_make(): the kernel was asked already, or must not be. */
long named_find(const struct named *named);

/* Makes the call with another path. */
long named_call(const struct named *named, const char *path);

/* A named_answer that makes the call on the model (paths->like). */
long named_like(const struct named *named, const struct name_paths *paths);

#pragma GCC visibility pop

#endif
