/* SPDX-License-Identifier: MIT */
/*
 * Calls on a name. The kernel is asked first. Only where it says ENOENT, and the
 * name may be one that it would have with groups, is the name looked up in our view;
 * then the call is made on another path, or is answered here.
 */
#ifndef PRELOAD_NAMED_H
#define PRELOAD_NAMED_H

#include "door/name.h"
#include "preload/next.h"

/* Any function of at most six integers and pointers. */
typedef long any_call(long a, long b, long c, long d, long e, long f);
#define ANY_CALL(function) ((any_call *)(void (*)(void))(function))

/*
 * Around a call that is made often, which then costs no more than these tests:
 *
 *	int before = errno;
 *	int ret = named_is_asked(AT_FDCWD, path) ? NEXT(access)(path, mode) : -1;
 *
 *	return named_settled(ret, AT_FDCWD, path) ? ret : named_find(...);
 *
 * False, with errno, for a path that begins in a directory of ours.
 */
static inline bool named_is_asked(int dirfd, const char *path)
{
	if (!name_begins_below(dirfd, path))
		return true;
	errno = ENOENT;
	return false;
}

/* False where what the kernel said is not the last word. */
static inline bool named_settled(bool failed, int dirfd, const char *path)
{
	return __builtin_expect(!failed, 1) || errno != ENOENT ||
	       (!name_may_be_added(path) && !name_begins_below(dirfd, path));
}

struct named;

/* What the call returns for a name that only our view has, with errno set. */
typedef long named_answer(const struct named *named, const struct name_paths *paths);

struct named {
	any_call *call;
	long a[6];	 /* its arguments */
	unsigned int at; /* which of them is the path */
	int dirfd;
	bool follow; /* a link at the end */
	long failed; /* what it returns on failure */
	int before;  /* errno from before the call */
	named_answer *answer;
};

#pragma GCC visibility push(hidden)

/* Makes the call, and looks for the name where that does not settle it. Sets before. */
long named_make(struct named *named);

/* The same by the number nr, where a[at] is the path. */
long named_by_number(long nr, const long a[6], unsigned int at, bool follow, named_answer *answer);

/* The second half of it: the kernel was asked already, or must not be. */
long named_find(const struct named *named);

/* Makes the call on another path. */
long named_call(const struct named *named, const char *path);

/* Answers of calls that do with the model (paths->like) what they would do with the name. */
long named_like(const struct named *named, const struct name_paths *paths);

#pragma GCC visibility pop

#endif
