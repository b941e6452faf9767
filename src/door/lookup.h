/* SPDX-License-Identifier: MIT */
/*
 * Lookups: entries of pagemap on their way to the host. All functions take the lock
 * themselves, are async-signal-safe, leave errno alone and return a value or a
 * negative errno, unless they say otherwise.
 */
#ifndef DOOR_LOOKUP_H
#define DOOR_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * open_done() where that is all there is to do: a driver opened its pagemap under
 * fd, as some do for each lookup. Takes no lock.
 */
bool lookup_expect(const char *path, int flags, int fd);

/*
 * read() or pread() on a descriptor of kind FD_PAGEMAP put len bytes into buf.
 * pos is where they were read, in bytes of the file, or -1: just before the
 * position that the descriptor has now. start is event_start()'s from before.
 */
ssize_t lookup_read(int fd, void *buf, ssize_t len, off_t pos, uint64_t start);

/*
 * The same for any stretch of the file, as stdio and readv() hand it out: len
 * bytes from pos on, in buf, which need not begin or end with an entry.
 * Returns 0 or a negative errno.
 */
int lookup_patch(int fd, void *buf, size_t len, off_t pos);

#endif
