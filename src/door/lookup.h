/* SPDX-License-Identifier: MIT */
/*
 * Lookups: pagemap entries that the program reads. All functions take the lock, are
 * async-signal-safe, leave errno alone and return a value or a negative errno, unless
 * they say otherwise.
 */
#ifndef DOOR_LOOKUP_H
#define DOOR_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The fast path of open_done() for /proc/self/pagemap, which some drivers open for each
 * lookup. False: call open_done(). Takes no lock.
 */
bool lookup_expect(const char *path, int flags, int fd);

/*
 * read() or pread() on an FD_PAGEMAP descriptor put len bytes into buf. pos is their
 * offset in the file, in bytes, or -1: they end at the descriptor's current position.
 * start is event_start()'s value from before the read.
 */
ssize_t lookup_read(int fd, void *buf, ssize_t len, off_t pos, uint64_t start);

/*
 * The fast path of lookup_read(), for a pos that is not -1: true when the frames are all
 * pinned, so that the lookup is done. False: call lookup_read(). Takes no lock.
 */
bool lookup_is_pinned(int fd, const void *buf, ssize_t len, off_t pos);

/*
 * lookup_read() for any range of the file, as stdio and readv() read it: len bytes at offset
 * pos, in buf. The range need not begin or end at an entry. Returns 0 or a negative
 * errno.
 */
int lookup_patch(int fd, void *buf, size_t len, off_t pos);

#endif
