/* SPDX-License-Identifier: MIT */
#include "preload/next.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/sys.h"
#include "door/end.h"
#include "door/start.h"

/*
 * glibc 2.34 moved these functions into libc, with a new version. The old version exists
 * in every glibc, so that a library built today loads on glibc 2.17.
 */
#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
__asm__(".symver dlvsym, dlvsym@GLIBC_2.2.5");
#elif defined(__GLIBC__) && defined(__aarch64__)
__asm__(".symver dlsym, dlsym@GLIBC_2.17");
__asm__(".symver dlvsym, dlvsym@GLIBC_2.17");
#endif

/*
 * Substitutes for functions that an older libc lacks. Programs built for that libc do not
 * call them by name, but syscall() leads to them, glob() is given one, and the library
 * calls some.
 */
static int stat_at(int dirfd, const char *path, struct stat *st, int flags)
{
	return (int)result(sys_fstatat(dirfd, path, st, flags));
}

static int stat_name(const char *path, struct stat *st)
{
	return stat_at(AT_FDCWD, path, st, 0);
}

static int stat_link(const char *path, struct stat *st)
{
	return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static int stat_descriptor(int fd, struct stat *st)
{
	return (int)result(sys_fstat(fd, st));
}

static int stat_extended(int dirfd, const char *path, int flags, unsigned int mask,
			 struct statx *st)
{
	return (int)result(sys_call(SYS_statx, dirfd, (long)path, flags, mask, (long)st, 0));
}

static ssize_t get_entries(int fd, void *buf, size_t size)
{
	return result(sys_getdents(fd, buf, size));
}

/* The kernel takes the position in two halves; on 64 bits the first contains all of it. */
static ssize_t read_vectors(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
	return result(sys_call(SYS_preadv2, fd, (long)iov, count, pos, 0, flags));
}

static ssize_t write_vectors(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
	return result(sys_call(SYS_pwritev2, fd, (long)iov, count, pos, 0, flags));
}

static int get_descriptor(int pidfd, int fd, unsigned int flags)
{
	return (int)result(sys_call(SYS_pidfd_getfd, pidfd, fd, flags, 0, 0, 0));
}

static ssize_t advise_vectors(int pidfd, const struct iovec *iov, size_t count, int advice,
			      unsigned int flags)
{
	return result(
		sys_call(SYS_process_madvise, pidfd, (long)iov, (long)count, advice, flags, 0));
}

static int open_how(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	return (int)result(sys_call(SYS_openat2, dirfd, (long)path, (long)how, (long)size, 0, 0));
}

static int close_numbers(unsigned int first, unsigned int last, int flags)
{
	return (int)result(sys_call(SYS_close_range, first, last, flags, 0, 0, 0));
}

static void close_numbers_from(int first)
{
	close_numbers((unsigned int)first, ~0U, 0);
}

static const struct {
	const void *slot;
	void *function;
} gaps[] = {
	{&next.stat, stat_name},
	{&next.stat64, stat_name},
	{&next.lstat, stat_link},
	{&next.lstat64, stat_link},
	{&next.fstat, stat_descriptor},
	{&next.fstat64, stat_descriptor},
	{&next.fstatat, stat_at},
	{&next.fstatat64, stat_at},
	{&next.statx, stat_extended},
	{&next.getdents64, get_entries},
	{&next.preadv2, read_vectors},
	{&next.preadv64v2, read_vectors},
	{&next.pwritev2, write_vectors},
	{&next.pwritev64v2, write_vectors},
	{&next.openat2, open_how},
	{&next.pidfd_getfd, get_descriptor},
	{&next.process_madvise, advise_vectors},
	{&next.close_range, close_numbers},
	{&next.closefrom, close_numbers_from},
};

/* For symbols with several versions: dlsym() of glibc before 2.36 finds the oldest one. */
#ifdef __GLIBC__
static void *find_newest(const void *slot, const char *name)
{
	static const struct {
		const void *slot;
		const char *version;
	} newest[] = {
#define SYM(type, name, params)
#define NEWEST(name, version) {&next.name, version},
#include "preload/symbols.def"
#undef SYM
	};

	for (size_t i = 0; i < sizeof(newest) / sizeof(newest[0]); i++)
		if (newest[i].slot == slot)
			return dlvsym(RTLD_NEXT, name, newest[i].version);
	return NULL;
}
#else
static void *find_newest(const void *slot, const char *name)
{
	(void)slot;
	(void)name;
	return NULL;
}
#endif

static void *find_gap(const void *slot)
{
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++)
		if (gaps[i].slot == slot)
			return gaps[i].function;
	return NULL;
}

/*
 * Looks up one symbol. One that this libc lacks is a system call from gaps[], or NULL if
 * no program for this libc calls it. Before the constructor only the symbols in use are
 * looked up: a failed lookup allocates in an old libc, and the allocator may be the
 * caller. Should it call the same symbol again, the gap is already filled in.
 */
static void *find(void *slot, const char *name)
{
	int saved = errno;
	void **function = slot, *gap = find_gap(slot), *found;

	if (gap)
		*function = gap;
	found = find_newest(slot, name);
	if (!found)
		found = dlsym(RTLD_NEXT, name);
	*function = found ? found : gap;
	errno = saved;
	return *function;
}

/* All symbols have at most six arguments, none of them floating-point. */
typedef long any(long a, long b, long c, long d, long e, long f);

#define SYM(type, name, params)                                                                    \
	static long first_##name(long a, long b, long c, long d, long e, long f)                   \
	{                                                                                          \
		any *function = (any *)find(&next.name, #name);                                    \
		return function(a, b, c, d, e, f);                                                 \
	}
#include "preload/symbols.def"
#undef SYM

struct next next = {
#define SYM(type, name, params) .name = (type(*) params)(void (*)(void))first_##name,
#include "preload/symbols.def"
#undef SYM
};

/* The order of start-up: look up the symbols, then read the environment. */
__attribute__((constructor)) static void start(void)
{
#define SYM(type, name, params) find(&next.name, #name);
#define LATE(type, name, params)
#include "preload/symbols.def"
#undef SYM
	start_init(environ);
}

/* exit() ends the process by no intercepted function. */
__attribute__((destructor)) static void finish(void)
{
	end_process();
}
