/* SPDX-License-Identifier: MIT */
/* How a call on a name is made where the name may be one that only our view has. */
#ifndef PRELOAD_NAMED_H
#define PRELOAD_NAMED_H

#include "door/name.h"
#include "preload/next.h"

/*
 * The result of a call. real is the call on another path, named `names.to`;
 * ours is a handler's result for the name `names.to`, of which `names.like` is
 * the model.
 */
#define NAMED(dirfd, path, follow, failed, call, real, ours)                                       \
	({                                                                                         \
		int before_ = errno;                                                               \
		bool below_ = name_begins_below(dirfd, path);                                      \
		__typeof__(call) ret_ = below_ ? (errno = ENOENT, (failed)) : (call);              \
		struct name_paths names;                                                           \
		if (__builtin_expect(ret_ == (failed) && errno == ENOENT, 0) &&                    \
		    (below_ || name_may_be_added(path))) {                                         \
			switch (name_find(dirfd, path, follow, &names)) {                          \
			case NAME_REAL:                                                            \
				errno = before_;                                                   \
				ret_ = (real);                                                     \
				break;                                                             \
			case NAME_OURS:                                                            \
				errno = before_;                                                   \
				ret_ = (ours);                                                     \
				break;                                                             \
			case NAME_NOT_DIR:                                                         \
				errno = ENOTDIR;                                                   \
				break;                                                             \
			case NAME_NOTHING:                                                         \
				break;                                                             \
			}                                                                          \
		}                                                                                  \
		ret_;                                                                              \
	})

#endif
