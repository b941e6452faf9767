/* SPDX-License-Identifier: MIT */
/*
 * Names that the program opens. All functions take the lock, are async-signal-safe, leave
 * errno alone and return a value or a negative errno, unless they say otherwise.
 */
#ifndef DOOR_OPEN_H
#define DOOR_OPEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * For open() with O_CREAT, which must not create a file under a name that the view has.
 * Returns the flags to use, or a negative errno. path may be bad.
 */
int open_creating(int dirfd, const char *path, int flags);

/*
 * open() or the like returned ret, a descriptor or a negative errno. start is
 * event_start()'s value from before. Returns what the program gets. On failure the
 * descriptor in ret is closed.
 */
int open_done(int dirfd, const char *path, int flags, int ret, uint64_t start);

/*
 * A file was opened by a name that says nothing about it, which may be a link. True if
 * open_done() has to be called. Takes no lock.
 */
bool open_may_be_ours(int fd);

/*
 * open_done() for a descriptor that libc uses and that keeps its number. It stays open on
 * failure; its owner closes it. 0 or a negative errno.
 */
int open_held(const char *path, int fd, uint64_t start);

#endif
