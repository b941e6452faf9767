/* SPDX-License-Identifier: MIT */
/*
 * Names that the host opens. All functions take the lock
 * themselves, are async-signal-safe, leave errno alone and return a value or a
 * negative errno, unless they say otherwise.
 */
#ifndef DOOR_OPEN_H
#define DOOR_OPEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * open() with O_CREAT on a name that natively is there must not make a file of
 * that name. Returns the flags to open it with, or a negative errno. path may
 * be bad.
 */
int open_creating(int dirfd, const char *path, int flags);

/*
 * open() and its kin returned ret (a descriptor or a negative errno). start is
 * event_start()'s from before.
 */
int open_done(int dirfd, const char *path, int flags, int ret, uint64_t start);

/*
 * A file was opened by a name that says nothing of it, which can be a link. True
 * where open_done() has to see it. Takes no lock.
 */
bool open_may_be_ours(int fd);

/*
 * open_done() for a descriptor that libc holds, which keeps its number. It stays
 * open on failure: whoever holds it has to close it. 0 or a negative errno.
 */
int open_held(const char *path, int fd, uint64_t start);

#endif
