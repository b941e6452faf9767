/* SPDX-License-Identifier: MIT */
/*
 * /proc, as it was when the library was loaded.
 *
 * A process that may use no-IOMMU devices keeps from then on what is needed of
 * it later: a change of its root, its user or its mounts, a mount over /proc,
 * or a full table of descriptors takes nothing away. In others these are opened
 * when they are needed first. Needs the lock.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

void proc_start(void);

/* In the child of a fork(), as soon as that is known: what was kept shows the parent. */
void proc_forked(void);

/* This process's maps and pagemap, for use until the lock is given back, or a negative errno. */
int proc_maps(void);
int proc_pagemap(void);

/* True of the file that proc_pagemap() returns: an inode of /proc is never used again. */
bool proc_is_pagemap(const struct stat *st);

/* fd shows the memory of this process: it serves as proc_pagemap() where that has none. */
void proc_keep_pagemap(int fd);

/*
 * The calls on a name below /proc: "self/fdinfo/3". What proc_open() opens closes
 * on exec.
 */
int proc_open(const char *name, int flags);
ssize_t proc_readlink(const char *name, char *buf, size_t size);
int proc_stat(const char *name, struct stat *st);

/* The number that a path ends in, if it can be the entry of a descriptor; else -1. */
int proc_number_of(const char *path);

/*
 * True when a path that ends in a number is the entry of a descriptor of this
 * process, in whatever mount of /proc and by whatever name of it. A negative
 * errno where that cannot be told.
 */
int proc_is_own_entry(int dirfd, const char *path);

/* The name that the kernel has for the file under fd. Its length, or a negative errno. */
ssize_t proc_name_of(int fd, char *to, size_t size);

#endif
