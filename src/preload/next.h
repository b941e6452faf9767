/* SPDX-License-Identifier: MIT */
/*
 * The functions behind ours: the next definition of each symbol, which is
 * libc's own or that of another preloaded library.
 *
 * NEXT(read) is a pointer to it. A call can come before our constructor ran;
 * its first use then looks it up. Async-signal-safe after the constructor.
 */
#ifndef PRELOAD_NEXT_H
#define PRELOAD_NEXT_H

#if defined(_FILE_OFFSET_BITS) || defined(_FORTIFY_SOURCE)
#error "these switches rename functions; here every name must be its own"
#endif

#include <aio.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* Functions here, macros in some headers. */
#undef fread_unlocked
#undef fgetc_unlocked
#undef getc_unlocked
#undef getc
#undef getchar
#undef getchar_unlocked

/* glibc's ioctl() takes an unsigned long, musl's an int. */
#ifdef __GLIBC__
typedef unsigned long ioctl_request_t;
#else
typedef int ioctl_request_t;
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

extern struct next next;

/*
 * Looks up one symbol and returns it. One that this libc has not is made by a
 * system call, or stays NULL where no program for this libc calls it. Only
 * what is needed is looked up before the constructor: a look in vain allocates
 * in old libcs, and the allocator may be what called us.
 */
void *next_find(void *slot, const char *name);

#define NEXT(name)                                                                                 \
	(__builtin_expect(!next.name, 0) ? (__typeof__(next.name))next_find(&next.name, #name)     \
					 : next.name)

/* openat2() as syscall() has it: libc has no function of that name. */
struct uapi_open_how;
long preload_openat2(int dirfd, const char *path, const struct uapi_open_how *how, size_t size);

/* What a handler returned, as a libc function returns it. */
static inline long result(long ret)
{
	if (ret >= 0)
		return ret;
	errno = (int)-ret;
	return -1;
}

#endif
