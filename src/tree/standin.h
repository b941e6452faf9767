/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and the current directory where they stand for a name that only
 * our view has: directories, what was opened with O_PATH, files of text.
 *
 * The descriptor is one of something that the kernel has and that is of the
 * same kind (view_model()), so that the kernel refuses what it would refuse.
 * The table of descriptors says for which name it stands. Needs the lock.
 */
#ifndef TREE_STANDIN_H
#define TREE_STANDIN_H

#include "base/fdtab.h"
#include "tree/view.h"

struct standin {
	struct object object;
	struct view view;
};

/* Opens what is no device, or not to be used as one. A descriptor or a negative errno. */
int standin_open(const struct view *view, int flags);

/* Has fd, which the kernel opened with O_PATH, stand for view. 0 or a negative errno. */
int standin_enter(const struct view *view, int fd);

/* As view_find(), also where dirfd or the current directory is of ours. */
void standin_find(int dirfd, const char *path, bool follow, struct view *view);

/*
 * The current directory is what stands for name, or a directory that is none of ours
 * (NULL). ATTENTION_INSIDE is set accordingly.
 */
void standin_set_current(const char *name);

/* What the current directory, and what dirfd, stands for; NULL: for nothing of ours. */
const struct view *standin_current(void);
const struct view *standin_base(int dirfd);

#endif
