/* SPDX-License-Identifier: MIT */
/*
 * The world that a legacy VFIO driver believes in, as src/preload asks for it.
 *
 * src/preload unpacks the arguments of a libc call, makes the call, and hands
 * the result over where it may concern us. All functions take the lock
 * themselves, are async-signal-safe, leave errno alone and return a value or a
 * negative errno, unless they say otherwise.
 */
#ifndef LEGACY_LEGACY_H
#define LEGACY_LEGACY_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/event.h"
#include "base/fdtab.h"
#include "iommufd/pin.h"

/* Once, by the library's constructor. */
void legacy_init(char **envp);

/*
 * Cheap tests whether a path may name something of ours; to be asked only of
 * strings that the kernel has read already. legacy_may_name() is for names
 * that it has, legacy_may_add() for names that it has not.
 */
static inline bool legacy_may_name(const char *path)
{
	size_t len = strlen(path);
	const char *base;
	char last;

	/* Mostly it ends in another letter than they do. */
	last = len ? path[len - 1] : '\0';
	if (last != 'o' && last != 'p' && (last < '0' || last > '9'))
		return false;
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	switch (*base) {
	case 'v':
		return !strcmp(base, "vfio");
	case 'n':
		return !strncmp(base, "noiommu-", 8);
	case 'p':
		return !strcmp(base, "pagemap");
	default:
		return *base >= '0' && *base <= '9';
	}
}

static inline bool legacy_may_add(const char *path)
{
	/* Mostly it has not even what both have. */
	if (strstr(path, "io") && (strstr(path, "iommu") || strstr(path, "vfio")))
		return true;
	return *path >= '0' && *path <= '9';
}

/*
 * open() with O_CREAT on a name that natively is there must not make a file of
 * that name. Returns the flags to open it with, or a negative errno. path may
 * be bad.
 */
int legacy_creating(int dirfd, const char *path, int flags);

/*
 * open() and its kin returned ret (a descriptor or a negative errno). start is
 * event_start()'s from before.
 */
int legacy_opened(int dirfd, const char *path, int flags, int ret, uint64_t start);

/*
 * The same where that is all there is to do: a driver opened its pagemap under
 * fd, as some do for each lookup. Takes no lock.
 */
bool legacy_expect_pagemap(const char *path, int flags, int fd);

/*
 * What a name stands for that the kernel has not. A call on such a name either
 * goes to the kernel after all, with another path, or is answered from here.
 */
enum legacy_name { LEGACY_NOTHING, LEGACY_NOT_DIR, LEGACY_REAL, LEGACY_OURS };
#define LEGACY_PATH 512

struct legacy_names {
	char to[LEGACY_PATH];	/* the other path (LEGACY_REAL), or the name without links */
	char like[LEGACY_PATH]; /* of LEGACY_OURS: a file of this kind that the kernel has */
};

enum legacy_name legacy_name(int dirfd, const char *path, bool follow, struct legacy_names *names);

/*
 * True for a path that begins in a directory of ours: the kernel must not be
 * asked first, to which it is another one. path may be bad.
 */
bool legacy_begins_in_ours(int dirfd, const char *path);

/* The current directory may be of ours. */
extern _Atomic(bool) legacy_in_ours __attribute__((visibility("hidden")));

static inline bool legacy_begins_below(int dirfd, const char *path)
{
	if (__builtin_expect(!legacy_in_ours && fdtab_kind(dirfd) != FD_STANDIN, 1))
		return false;
	return legacy_begins_in_ours(dirfd, path);
}

/* The current directory is what stands for name, or a directory that is none of ours (NULL). */
void legacy_entered(const char *name);

/* getcwd(2) where the current directory is of ours, with what it returns; elsewhere 0. */
ssize_t legacy_getcwd(char *buf, size_t size);

/* True for "". path may be bad. */
bool legacy_is_empty(const char *path);

/* Of names that are LEGACY_OURS, by what legacy_name() put into to. */
int legacy_stat(const char *name, struct stat *st);
ssize_t legacy_readlink(const char *name, char *buf, size_t size);

/*
 * The kernel read a link into buf: what stands under /proc/self/fd for one of
 * our descriptors reads as it would natively. Returns the length to report.
 */
ssize_t legacy_link_was_read(const char *path, char *buf, size_t size, ssize_t len);

/*
 * What the directory with this name without links has beyond what the kernel
 * shows, or, for one of ours, what it has.
 */
void legacy_list(const char *name, void (*what)(const char *name, unsigned char type, void *arg),
		 void *arg);

/* A cheap test whether a directory may have more; its name is one without links. */
static inline bool legacy_may_list(const char *name)
{
	return !strcmp(name, "/dev/vfio") || !strncmp(name, "/sys/kernel/iommu_groups", 24) ||
	       !strncmp(name, "/sys/devices/", 13);
}

/* The name without links of what is open under fd, a number of bytes or 0. */
size_t legacy_path_of(int fd, char to[LEGACY_PATH]);

/*
 * fstat() succeeded on a descriptor of ours: puts what a native one shows into
 * *st. 0 or a negative errno, -EBADF for one that is hidden.
 */
int legacy_fstat(int fd, struct stat *st);

/* The flags of fcntl(F_GETFL) on a descriptor of ours, from what the kernel says. */
int legacy_file_flags(int fd, int flags);

/* fcntl(F_SETFL): its result when it was done here, or 1. */
int legacy_set_file_flags(int fd, int flags);

/*
 * fcntl() with F_SETLK and its kin on a descriptor of ours: its result when it
 * was done here, or 1. The program's locks end before those that the library
 * has on the same file. Sleeps as the call does.
 */
int legacy_lock_file(int fd, int cmd, struct flock *lock);

/* lockf(): how many bytes, from 0 on, are to be locked in place of len (0: all). */
off_t legacy_lock_length(int fd, off_t len);

/* What stands under fd by its own proof, whatever fdtab_kind() has kept of it. */
enum fd_kind legacy_kind(int fd);

/* True for a container or group, of which nothing can be read, written or mapped. */
static inline bool legacy_is_mute(int fd)
{
	enum fd_kind kind = fdtab_kind(fd);

	if (kind != FD_NOT_OURS && (unsigned int)fd >= FDTAB_LOW)
		kind = legacy_kind(fd);
	if (kind == FD_CONTAINER || kind == FD_GROUP)
		kind = legacy_kind(fd);
	return kind == FD_CONTAINER || kind == FD_GROUP;
}

static inline bool legacy_is_pagemap(int fd)
{
	return fdtab_kind(fd) == FD_PAGEMAP &&
	       ((unsigned int)fd < FDTAB_LOW || legacy_kind(fd) == FD_PAGEMAP);
}

/* True for these, devices and stand-ins, which are other files underneath than natively. */
static inline bool legacy_is_other(int fd)
{
	return fdtab_kind(fd) != FD_NOT_OURS && fdtab_kind(fd) != FD_PAGEMAP;
}

/*
 * read() or pread() on a descriptor of kind FD_PAGEMAP put len bytes into buf.
 * pos is where they were read, in bytes of the file, or -1: just before the
 * position that the descriptor has now. start is event_start()'s from before.
 */
ssize_t legacy_pagemap_read(int fd, void *buf, ssize_t len, off_t pos, uint64_t start);

/*
 * The same for any stretch of the file, as stdio and readv() hand it out: len
 * bytes from pos on, in buf, which need not begin or end with an entry.
 * Returns 0 or a negative errno.
 */
int legacy_pagemap_patch(int fd, void *buf, size_t len, off_t pos);

/* ioctl(): true when it was answered here, with *ret. */
bool legacy_ioctl(int fd, unsigned int cmd, unsigned long arg, long *ret);

/* True for an ioctl that a container or group of ours may answer. */
static inline bool legacy_may_ioctl(int fd, unsigned int cmd)
{
	return cmd - 0x3b64U < 7 || fdtab_kind(fd) != FD_NOT_OURS;
}

/* A descriptor arrived by SCM_RIGHTS. */
void legacy_received(int fd);

/*
 * close(): true when the descriptor was ours; it is closed then, with *ret. In
 * one step with what goes with it: a child that another thread forks meanwhile
 * must not have the one without the other.
 */
bool legacy_close(int fd, int *ret);

/* fd was closed, and may be another thread's already, also as one of ours. */
void legacy_closed(int fd);

/*
 * close_range() must not close what is hidden. Finds the first stretch of
 * *at..last, which is *at..*end then, that has nothing hidden in it. False:
 * all that is left is hidden.
 */
bool legacy_stretch(unsigned int *at, unsigned int last, unsigned int *end);

/*
 * All such stretches of first..last are closed, and some of the numbers may be
 * another thread's already. What became hidden since they were found is closed
 * with them, and forgotten here; a thread that closes numbers of which it does
 * not know whose they are does the same to libc.
 */
void legacy_range_closed(unsigned int first, unsigned int last);

/* The kernel gave the host fd: what was entered under that number is gone. */
void legacy_replaced(int fd);

/* dup() and its kin made newfd from oldfd, one of which was ours. */
void legacy_duplicated(int oldfd, int newfd);

/* dup2() or dup3() is about to replace newfd. */
void legacy_make_way(int newfd);

/* Addresses were told that no pin stands for: pagemap.c has the reasons. */
extern _Atomic(bool) pagemap_tells_unpinned;

/* A cheap test whether the program was told an address in the range. */
static inline bool legacy_told(const void *addr, size_t len)
{
	return pin_any((uintptr_t)addr, len) || pagemap_tells_unpinned;
}

/*
 * Memory that the program gives back. Pages of a shared mapping can be mapped
 * elsewhere in the process; their pins go there first, while the old mapping
 * still stands.
 *
 *	legacy_leaving(addr, len);
 *	ret = munmap(addr, len);
 *	if (!ret)
 *		legacy_left(addr, len);
 */
void legacy_leaving(uintptr_t addr, size_t len);
void legacy_left(uintptr_t addr, size_t len);

/* The same around shmdt(): the length is to be found out. */
size_t legacy_detaching(uintptr_t addr);
void legacy_detached(uintptr_t addr, size_t len);

/*
 * madvise() threw the contents of private pages away, at_once or some time;
 * shared ones come back the same.
 */
void legacy_discarded(uintptr_t addr, size_t len, bool at_once);

/* madvise() cut the pages out of the file that is mapped there. */
void legacy_removed(uintptr_t addr, size_t len);

/* [offset, offset + len) was cut out of the file under fd. Costs little while nothing is pinned. */
void legacy_punched(int fd, off_t offset, off_t len);

/*
 * True when the file under fd, which is to end at len, has been longer: drivers
 * make a file for each hugepage, one after the other, and let it grow.
 */
bool legacy_truncating(int fd, off_t len);

/* The file under fd ends at len now: the private copies of what was behind are gone, too. */
void legacy_truncated(int fd, off_t len);

/*
 * Around mremap(), which may move the pages of [from, from + len) to to. to is
 * from when it did not.
 */
struct legacy_move {
	struct pin_held *held;
	int error;
};
struct legacy_move legacy_moving(uintptr_t from, size_t len);
void legacy_moved(struct legacy_move move, uintptr_t from, uintptr_t to, size_t len);

#endif
