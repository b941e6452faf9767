/* SPDX-License-Identifier: MIT */
/*
 * Files of /proc, from the mount that the process had when the library was loaded.
 *
 * A process that may use no-IOMMU devices opens what it will need from /proc at that
 * time, and keeps it. A later chroot(), setuid(), mount over /proc or a full descriptor
 * table then does no harm. Other processes open these files at first use. Needs the lock.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

void proc_start(void);

/*
 * In the child of a fork(), as soon as it is noticed: the files that were kept show the
 * parent.
 */
void proc_forked(void);

/*
 * Descriptors of this process's maps and pagemap, valid until the lock is left, or a
 * negative errno.
 */
int proc_maps(void);
int proc_pagemap(void);

/* True for the file that proc_pagemap() returns. Inodes of /proc are never reused. */
bool proc_is_pagemap(const struct stat *st);

/* fd is this process's pagemap: keeps a duplicate for proc_pagemap() where that has no file. */
void proc_keep_pagemap(int fd);

/* System calls on a name relative to /proc, such as "self/fdinfo/3". proc_open() sets O_CLOEXEC. */
int proc_open(const char *name, int flags);
ssize_t proc_readlink(const char *name, char *buf, size_t size);
int proc_stat(const char *name, struct stat *st);

/*
 * The number at the end of path if it can be the name of a descriptor's link, else -1.
 */
int proc_number_of(const char *path);

/*
 * 1 when path, which ends in a number, names the link of a descriptor of this process, in
 * any mount of /proc and by any of its names. 0 when not. A negative errno when unknown.
 */
int proc_is_own_entry(int dirfd, const char *path);

/* The kernel's name of the file open under fd. Its length, or a negative errno. */
ssize_t proc_name_of(int fd, char *to, size_t size);

#endif
