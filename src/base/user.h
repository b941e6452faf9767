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
#include <stdint.h>

/*
 * The address that munmap(), madvise(), mremap() and pagemap take addr for: on arm64 they
 * ignore the top byte, which the program may use as a tag (untagged_addr() in
 * arch/arm64/include/asm/memory.h). mmap() and brk() do not.
 */
static inline uintptr_t user_address(const void *addr)
{
#ifdef __aarch64__
	return (uintptr_t)addr & (uintptr_t)((intptr_t)((uintptr_t)addr << 8) >> 8);
#else
	return (uintptr_t)addr;
#endif
}

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
