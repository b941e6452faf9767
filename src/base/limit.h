/* SPDX-License-Identifier: MIT */
/*
 * RLIMIT_NOFILE is there for the program. When it has used up its descriptors the
 * library still needs some, mostly for a moment: a first lookup borrows a device. So the
 * limit is raised for the one call. That takes a hard limit above the soft one or
 * CAP_SYS_RESOURCE, and what is opened so has a number that the program cannot get.
 *
 * Another thread can see the limit raised, and open a file more than it might.
 * Needs the lock.
 */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdbool.h>

/*
 * A system call that returns a descriptor for the library's own use. What the program
 * is to have is opened by sys_openat(), and fails as it does natively.
 */
long limit_call(long nr, long a, long b, long c, long d);
int limit_openat(int dirfd, const char *path, int flags);
int limit_open(const char *path, int flags);

/* A duplicate that closes on exec. */
int limit_dup(int fd);

/* Raises the limit until limit_restore(). False: that may not be. Both may be nested. */
bool limit_raise(void);
void limit_restore(void);

/* In the child of a fork(), which may have come while the limit was raised. */
void limit_in_child(void);

#endif
