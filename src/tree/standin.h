/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins: descriptors, and the current directory, that stand for a name that only the
 * view has (tree/view.h). These are directories, descriptors opened with O_PATH, and text
 * files.
 *
 * Such a descriptor refers to an existing file of the same type (view_model()), so that
 * the kernel checks and refuses what it would for the real one. The descriptor table
 * records the name. Needs the lock.
 */
#ifndef TREE_STANDIN_H
#define TREE_STANDIN_H

#include "base/fdtab.h"
#include "tree/view.h"

struct standin {
	struct object object;
	struct view view;
};

/*
 * Opens a file of the view that is not a device, or a device with O_PATH. A descriptor or
 * a negative errno.
 */
int standin_open(const struct view *view, int flags);

/* Enters fd, which the kernel opened with O_PATH, as a stand-in for view. 0 or a negative errno. */
int standin_enter(const struct view *view, int fd);

/* view_find(), also when dirfd or the current directory is a stand-in. */
void standin_find(int dirfd, const char *path, bool follow, struct view *view);

/*
 * Records that the current directory is the stand-in for name, or none (NULL). Sets
 * ATTENTION_INSIDE accordingly.
 */
void standin_set_current(const char *name);

/* What the current directory, or dirfd, stands for; NULL: it is not a stand-in. */
const struct view *standin_current(void);
const struct view *standin_base(int dirfd);

#endif
