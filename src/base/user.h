/* SPDX-License-Identifier: MIT */
/*
 * Copies from and to pointers that the program passed, which may be bad.
 *
 * The kernel copies, so that a bad pointer gives -EFAULT and not SIGSEGV.
 * Async-signal-safe.
 */
#ifndef BASE_USER_H
#define BASE_USER_H

#include <stddef.h>

/*
 * 0, or -EFAULT when not all of the len bytes could be copied. Where process_vm_readv()
 * is refused a pipe does the copy, which can fail with -EMFILE, -ENFILE, or -EPERM and
 * the like. Callers return such an error as it is: the pointer may be good.
 */
int user_read(void *to, const void *from, size_t len);
int user_write(void *to, const void *from, size_t len);

/*
 * Copies a string with its NUL into to[size]. Returns its length without the NUL, an
 * error as above, or -EINVAL when there is no NUL in size bytes, as the kernel's
 * strndup_user() (mm/util.c) does.
 */
int user_read_string(char *to, size_t size, const char *from);

#endif
