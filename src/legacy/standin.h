/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and the current directory where they stand for a name that only
 * our view has: directories, what was opened with O_PATH, files of text.
 *
 * The descriptor is one of something that the kernel has and that is of the
 * same kind (view_model()), so that the kernel refuses what it would refuse.
 * The table of descriptors says for which name it stands. Needs the lock.
 */
#ifndef LEGACY_STANDIN_H
#define LEGACY_STANDIN_H

#include "base/fdtab.h"
#include "legacy/view.h"

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

#endif
