/* SPDX-License-Identifier: MIT */
/*
 * The next functions: the next definition of each intercepted symbol, in libc or in
 * another preloaded library.
 *
 * NEXT(read) is a pointer to it. The program can call an intercepted function before the
 * library's constructor has run, so each pointer initially refers to a function that
 * looks the symbol up and calls it. Async-signal-safe after the constructor, except for
 * those that are LATE().
 */
#ifndef PRELOAD_NEXT_H
#define PRELOAD_NEXT_H

#if defined(_FILE_OFFSET_BITS) || defined(_FORTIFY_SOURCE)
#error "these switches rename functions; here every name must be its own"
#endif

#include <aio.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fdtab.h"

/* musl before 1.2.5 has no statx(). */
#ifndef STATX_BASIC_STATS
#include <linux/stat.h>
#endif

/* Macros for the names without 64 in musl before 1.2.4. */
#ifndef __GLIBC__
#undef open64
#undef openat64
#undef creat64
#undef stat64
#undef lstat64
#undef fstatat64
#undef fstat64
#undef readdir64
#undef readdir64_r
#undef getdents64
#undef scandir64
#undef glob64
#undef pread64
#undef preadv64
#undef pwrite64
#undef pwritev64
#undef aio_read64
#undef lio_listio64
#undef fopen64
#undef freopen64
#undef mmap64
#undef fallocate64
#undef ftruncate64
#undef truncate64
#undef lockf64
struct stat64;
#endif

/* glibc before 2.43 has no openat2(). */
struct open_how;

/* Macros in some headers, functions here. */
#undef fread_unlocked
#undef fgetc_unlocked
#undef getc_unlocked
#undef getc
#undef getchar
#undef getchar_unlocked

/* Types that differ between glibc and musl. */
#ifdef __GLIBC__
typedef unsigned long ioctl_request_t;
typedef int recvmmsg_flags_t;
typedef struct aiocb *const *aio_list_t;
#else
typedef int ioctl_request_t;
typedef unsigned int recvmmsg_flags_t;
typedef struct aiocb *restrict const *restrict aio_list_t;
#endif

typedef int scandir_filter(const struct dirent *entry);
typedef int scandir_compare(const struct dirent **a, const struct dirent **b);
typedef int scandir64_filter(const struct dirent64 *entry);
typedef int scandir64_compare(const struct dirent64 **a, const struct dirent64 **b);

struct next {
#define SYM(type, name, params) type(*name) params;
#include "preload/symbols.def"
#undef SYM
};

#define SYM(type, name, params) type name params;
#include "preload/symbols.def"
#undef SYM

/* Another name of the same function in libc. */
#define ALIAS(name, of) extern __typeof__(of) name __attribute__((alias(#of)))

/*
 * For a function that libc declares with "..." for an optional last argument. In the ABIs
 * of x86-64 and arm64 Linux an integer or pointer is in the same register with and
 * without "...", and is passed on as it is.
 *
 *	int any_ioctl(int fd, ioctl_request_t cmd, unsigned long arg) IS(ioctl);
 */
#define IS(name) __asm__(#name)
#define ANY_ALIAS(name, of)                                                                        \
	extern __typeof__(any_##of) any_##name IS(name) __attribute__((alias(#of)))

extern struct next next __attribute__((visibility("hidden")));

#define NEXT(name) (next.name)

/*
 * The next function of a symbol is always that of the same name, and that of a system
 * call number is the next syscall(). Another preload's read() may call __read() or
 * syscall(SYS_read), which are intercepted as well: continuing with the next read() would
 * be an endless loop.
 *
 * Each of these makes the calls of its file that syscall() was given by number; a and
 * *ret are syscall()'s arguments and result. False: the number is not in that file.
 */
bool dir_by_number(long nr, const long a[6], long *ret);
bool file_by_number(long nr, const long a[6], long *ret);
bool io_by_number(long nr, const long a[6], long *ret);
bool memory_by_number(long nr, const long a[6], long *ret);
bool names_by_number(long nr, const long a[6], long *ret);
bool owner_by_number(long nr, const long a[6], long *ret);
bool process_by_number(long nr, const long a[6], long *ret);
bool stat_by_number(long nr, const long a[6], long *ret);

#define BY_NUMBER(nr, a) NEXT(syscall)(nr, (a)[0], (a)[1], (a)[2], (a)[3], (a)[4], (a)[5])

/* fd may be one of ours (door/fd.h). */
static inline bool is_ours(int fd)
{
	return fdtab_kind(fd) != FD_NOT_OURS;
}

/* Converts a value or a negative errno to a libc result with errno. */
static inline long result(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

#endif
