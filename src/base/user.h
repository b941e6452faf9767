/* SPDX-License-Identifier: MIT */
/*
 * Copies to and from memory that the host named, which may be bad.
 *
 * The kernel copies, so a bad pointer becomes -EFAULT and never a signal.
 * Async-signal-safe.
 */
#ifndef BASE_USER_H
#define BASE_USER_H

#include <stddef.h>

/*
 * 0, or -EFAULT when not all of the len bytes could be copied. Where the kernel
 * refuses the call for that, a pipe is needed: -EMFILE, -ENFILE, or -EPERM and the
 * like when that is refused, too. Pass on what is returned: the pointer may be good.
 */
int user_read(void *to, const void *from, size_t len);
int user_write(void *to, const void *from, size_t len);

/*
 * Copies a string, its NUL included, into to[size]. Returns its length
 * without the NUL, an error as above, or -EINVAL when size bytes hold no NUL, as the
 * kernel's strndup_user (mm/util.c) does.
 */
int user_read_string(char *to, size_t size, const char *from);

#endif
