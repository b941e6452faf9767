/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: what is asked of one, and what becomes of its number. All functions take the lock
 * themselves, are async-signal-safe, leave errno alone and return a value or a
 * negative errno, unless they say otherwise.
 */
#ifndef DOOR_FD_H
#define DOOR_FD_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/fdtab.h"

/* fd was there when the library began. */
void fd_arrived(int fd);

/*
 * fstat() succeeded on a descriptor of ours: puts what a native one shows into
 * *st. 0 or a negative errno, -EBADF for one that is hidden.
 */
int fd_stat(int fd, struct stat *st);

/* The flags of fcntl(F_GETFL) on a descriptor of ours, from what the kernel says. */
int fd_file_flags(int fd, int flags);

/* fcntl(F_SETFL): its result when it was done here, or 1. */
int fd_set_file_flags(int fd, int flags);

/*
 * fcntl() with F_SETLK and its kin on a descriptor of ours: its result when it
 * was done here, or 1. The program's locks end before those that the library
 * has on the same file. Sleeps as the call does.
 */
int fd_lock_file(int fd, int cmd, struct flock *lock);

/* lockf(): how many bytes, from 0 on, are to be locked in place of len (0: all). */
off_t fd_lock_length(int fd, off_t len);

/* What stands under fd by its own proof, whatever fdtab_kind() has kept of it. */
enum fd_kind fd_proved_kind(int fd);

/* True for a container or group, of which nothing can be read, written or mapped. */
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

/* True for these, devices and stand-ins, which are other files underneath than natively. */
static inline bool fd_is_other(int fd)
{
	return fdtab_kind(fd) != FD_NOT_OURS && fdtab_kind(fd) != FD_PAGEMAP;
}

/* ioctl(): true when it was answered here, with *ret. */
bool fd_ioctl(int fd, unsigned int cmd, unsigned long arg, long *ret);

/* True for an ioctl that a container or group of ours may answer. */
static inline bool fd_may_ioctl(int fd, unsigned int cmd)
{
	return cmd - 0x3b64U < 7 || fdtab_kind(fd) != FD_NOT_OURS;
}

/* A descriptor arrived by SCM_RIGHTS. */
void fd_received(int fd);

/*
 * close(): true when the descriptor was ours; it is closed then, with *ret. In
 * one step with what goes with it: a child that another thread forks meanwhile
 * must not have the one without the other.
 */
bool fd_close(int fd, int *ret);

/* fd was closed, and may be another thread's already, also as one of ours. */
void fd_closed(int fd);

/*
 * close_range() must not close what is hidden. Finds the first stretch of
 * *at..last, which is *at..*end then, that has nothing hidden in it. False:
 * all that is left is hidden.
 */
bool fd_stretch(unsigned int *at, unsigned int last, unsigned int *end);

/*
 * All such stretches of first..last are closed, and some of the numbers may be
 * another thread's already. What became hidden since they were found is closed
 * with them, and forgotten here; a thread that closes numbers of which it does
 * not know whose they are does the same to libc.
 */
void fd_range_closed(unsigned int first, unsigned int last);

/* The kernel gave the host fd: what was entered under that number is gone. */
void fd_replaced(int fd);

/* dup() and its kin made newfd from oldfd, one of which was ours. */
void fd_duplicated(int oldfd, int newfd);

/* dup2() or dup3() is about to replace newfd. */
void fd_make_way(int newfd);

#endif
