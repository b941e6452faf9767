/* SPDX-License-Identifier: MIT */
/*
 * Descriptors for the library when the program has used up RLIMIT_NOFILE. The library
 * mostly needs them for a moment, such as a device that is opened for the first lookup.
 * The limit is raised for the one call. That needs a hard limit above the soft one or
 * CAP_SYS_RESOURCE. The number is above the program's limit, so the program cannot get
 * it.
 *
 * The cost: another thread can see the raised limit, and open a file above the real one.
 * Needs the lock.
 */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>

/*
 * A system call that returns a descriptor for the library's own use. Descriptors for the
 * program come from sys_openat(), and fail as they would without the library.
 */
long limit_call(long nr, long a, long b, long c, long d);
int limit_openat(int dirfd, const char *path, int flags);
int limit_open(const char *path, int flags);

/* A duplicate that closes on exec. */
int limit_dup(int fd);

/* Raises the limit until limit_restore(). False: not permitted. The two can be nested. */
bool limit_raise(void);
void limit_restore(void);

/* In the child of a fork(): restores the limit if the fork came while it was raised. */
void limit_in_child(void);

#endif
