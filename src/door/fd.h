/* SPDX-License-Identifier: MIT */
/*
 * Calls on descriptors, and changes of the descriptor table.
 *
 * "Ours" in this room is a descriptor that the library has entered in its table
 * (base/fdtab.h). All functions take the lock, are async-signal-safe, leave errno alone
 * and return a value or a negative errno, unless they say otherwise.
 */
#ifndef DOOR_FD_H
#define DOOR_FD_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/fdtab.h"

/* fd was already open when the library was loaded. Needs the lock. */
void fd_arrived(int fd);

/*
 * fstat() succeeded on a descriptor of ours: sets *st to what it would be without the
 * library. 0 or a negative errno, -EBADF for a hidden one.
 */
int fd_stat(int fd, struct stat *st);

/* The result of fcntl(F_GETFL) on a descriptor of ours. flags is the kernel's. */
int fd_file_flags(int fd, int flags);

/* fcntl(F_SETFL): its result when it was handled here, or 1 when the kernel is to handle it. */
int fd_set_file_flags(int fd, int flags);

/*
 * fcntl() with F_SETLK and the like on a descriptor of ours: its result when it was
 * handled here, or 1. The range is cut to end before the library's own locks on the same
 * file. Can sleep as the call does.
 */
int fd_lock_file(int fd, int cmd, struct flock *lock);

/* lockf(): the number of bytes from 0 on to lock, for a requested len (0: all). */
off_t fd_lock_length(int fd, off_t len);

/* The kind of fd after verification, whatever fdtab_kind() says. */
enum fd_kind fd_proved_kind(int fd);

/* True for a container or group, which cannot be read, written or mapped. */
static inline bool fd_is_mute(int fd)
{
	enum fd_kind kind = fdtab_kind(fd);

	if (kind != FD_NOT_OURS && (unsigned int)fd >= FDTAB_LOW)
		kind = fd_proved_kind(fd);
	if (kind == FD_CONTAINER || kind == FD_GROUP)
		kind = fd_proved_kind(fd);
	return kind == FD_CONTAINER || kind == FD_GROUP;
}

static inline bool fd_is_pagemap(int fd)
{
	return fdtab_kind(fd) == FD_PAGEMAP &&
	       ((unsigned int)fd < FDTAB_LOW || fd_proved_kind(fd) == FD_PAGEMAP);
}

/*
 * True for containers, groups, devices and stand-ins: the open file is not the one that
 * the program expects.
 */
static inline bool fd_is_other(int fd)
{
	return fdtab_kind(fd) != FD_NOT_OURS && fdtab_kind(fd) != FD_PAGEMAP;
}

/* ioctl(): true when it was answered here, with the result in *ret. */
bool fd_ioctl(int fd, unsigned int cmd, unsigned long arg, long *ret);

/*
 * True for an ioctl that the library may have to answer. The range is VFIO's ioctls on
 * containers and groups.
 */
static inline bool fd_may_ioctl(int fd, unsigned int cmd)
{
	return cmd - 0x3b64U < 7 || fdtab_kind(fd) != FD_NOT_OURS;
}

/* fd was received by SCM_RIGHTS. */
void fd_received(int fd);

/*
 * close(): true when the descriptor was ours; it is closed then, with the result in *ret.
 * The entry and the descriptor go under the lock together, so that the child of a fork in
 * another thread gets both or neither.
 */
bool fd_close(int fd, int *ret);

/*
 * fd was closed. The number may already be in use again by another thread, also as one of
 * ours.
 */
void fd_closed(int fd);

/*
 * For close_range(), which must not close hidden descriptors. Finds the first range
 * within *at..last without a hidden descriptor, and sets *at and *end to it. False: there
 * is none.
 */
bool fd_stretch(unsigned int *at, unsigned int last, unsigned int *end);

/*
 * close_range() has closed all such ranges of first..last; other threads may already use
 * some numbers again. A descriptor that became hidden meanwhile was closed with them, and
 * is forgotten here. A thread that closes numbers which it does not own can do the same
 * to libc.
 */
void fd_range_closed(unsigned int first, unsigned int last);

/* The kernel returned fd as a new descriptor: removes a former entry. */
void fd_replaced(int fd);

/* dup() or the like made newfd from oldfd. One of them was ours. */
void fd_duplicated(int oldfd, int newfd);

/* dup2() or dup3() is about to replace newfd. */
void fd_make_way(int newfd);

#endif
