/* SPDX-License-Identifier: MIT */
/*
 * The functions behind ours: the next definition of each symbol, which is
 * libc's own or that of another preloaded library.
 *
 * NEXT(read) is a pointer to it. A call can come before our constructor ran;
 * so at first each points to a function that looks it up and goes on to it.
 * Async-signal-safe after the constructor, but for those that are LATE().
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
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/fdtab.h"

/* musl before 1.2.5 has no statx(). */
#ifndef STATX_BASIC_STATS
#include <linux/stat.h>
#endif

/* In musl before 1.2.4 these are macros for the names without 64. */
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

/* Functions here, macros in some headers. */
#undef fread_unlocked
#undef fgetc_unlocked
#undef getc_unlocked
#undef getc
#undef getchar
#undef getchar_unlocked

/* Types in which the two libcs differ. */
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

/* Another name that libc has for one of its functions. */
#define ALIAS(name, of) extern __typeof__(of) name __attribute__((alias(#of)))

/*
 * A function that libc declares with "..." for a last argument which may be
 * there: an integer or a pointer is passed in the same register either way, in
 * the ABIs of x86-64 and arm64 Linux, and goes on as it came.
 *
 *	int any_ioctl(int fd, ioctl_request_t cmd, unsigned long arg) IS(ioctl);
 */
#define IS(name) __asm__(#name)
#define ANY_ALIAS(name, of)                                                                        \
	extern __typeof__(any_##of) any_##name IS(name) __attribute__((alias(#of)))

extern struct next next __attribute__((visibility("hidden")));

#define NEXT(name) (next.name)

/*
 * Another preload's read() may call __read(), or syscall(SYS_read), which come
 * to us. What follows on each name is therefore the next function of that very
 * name, and on a number the next syscall(): to go on by read() would lead round
 * in a circle.
 *
 * Each of these does the calls of its file as syscall() has them: a and *ret
 * are its own. False where the number is none of them.
 */
bool dir_by_number(long nr, const long a[6], long *ret);
bool file_by_number(long nr, const long a[6], long *ret);
bool io_by_number(long nr, const long a[6], long *ret);
bool memory_by_number(long nr, const long a[6], long *ret);
bool names_by_number(long nr, const long a[6], long *ret);
bool owner_by_number(long nr, const long a[6], long *ret);
bool stat_by_number(long nr, const long a[6], long *ret);

#define BY_NUMBER(nr, a) NEXT(syscall)(nr, (a)[0], (a)[1], (a)[2], (a)[3], (a)[4], (a)[5])

/* What the number stands for may be ours. */
static inline bool is_ours(int fd)
{
	return fdtab_kind(fd) != FD_NOT_OURS;
}

/* What a handler returned, as a libc function returns it. */
static inline long result(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

#endif
