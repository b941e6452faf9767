/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the library itself makes.
 *
 * They do not use libc: the library intercepts libc's functions, so a call would recurse,
 * and errno belongs to the program. Each returns a value or a negative errno. All are
 * async-signal-safe, and none is a cancellation point.
 *
 * All calls go by sys_call; unit tests put a fake kernel there.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "uapi/syscall.h"

typedef long sys_call_fn(long nr, long a, long b, long c, long d, long e, long f);

extern sys_call_fn *sys_call __attribute__((visibility("hidden")));
sys_call_fn sys_call_kernel;

static inline int sys_openat(int dirfd, const char *path, int flags)
{
	return (int)sys_call(SYS_openat, dirfd, (long)path, flags, 0, 0, 0);
}

static inline int sys_open(const char *path, int flags)
{
	return sys_openat(AT_FDCWD, path, flags);
}

static inline int sys_close(int fd)
{
	return (int)sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline ssize_t sys_read(int fd, void *buf, size_t len)
{
	return sys_call(SYS_read, fd, (long)buf, (long)len, 0, 0, 0);
}

static inline ssize_t sys_write(int fd, const void *buf, size_t len)
{
	return sys_call(SYS_write, fd, (long)buf, (long)len, 0, 0, 0);
}

static inline ssize_t sys_pread(int fd, void *buf, size_t len, off_t pos)
{
	return sys_call(SYS_pread64, fd, (long)buf, (long)len, pos, 0, 0);
}

static inline ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t pos)
{
	return sys_call(SYS_pwrite64, fd, (long)buf, (long)len, pos, 0, 0);
}

static inline off_t sys_lseek(int fd, off_t pos, int whence)
{
	return sys_call(SYS_lseek, fd, pos, whence, 0, 0, 0);
}

static inline int sys_ioctl(int fd, unsigned int cmd, void *arg)
{
	return (int)sys_call(SYS_ioctl, fd, cmd, (long)arg, 0, 0, 0);
}

static inline int sys_fstat(int fd, struct stat *st)
{
	return (int)sys_call(SYS_fstat, fd, (long)st, 0, 0, 0, 0);
}

static inline int sys_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return (int)sys_call(SYS_newfstatat, dirfd, (long)path, (long)st, flags, 0, 0);
}

static inline ssize_t sys_readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	return sys_call(SYS_readlinkat, dirfd, (long)path, (long)buf, (long)size, 0, 0);
}

static inline long sys_fcntl(int fd, int cmd, long arg)
{
	return sys_call(SYS_fcntl, fd, cmd, arg, 0, 0, 0);
}

static inline int sys_dup3(int oldfd, int newfd, int flags)
{
	return (int)sys_call(SYS_dup3, oldfd, newfd, flags, 0, 0, 0);
}

static inline ssize_t sys_getdents(int fd, void *buf, size_t len)
{
	return sys_call(SYS_getdents64, fd, (long)buf, (long)len, 0, 0, 0);
}

static inline void *sys_mmap(size_t len, int prot, int flags)
{
	return (void *)sys_call(SYS_mmap, 0, (long)len, prot, flags, -1, 0);
}

static inline int sys_munmap(void *addr, size_t len)
{
	return (int)sys_call(SYS_munmap, (long)addr, (long)len, 0, 0, 0, 0);
}

static inline int sys_madvise(void *addr, size_t len, int advice)
{
	return (int)sys_call(SYS_madvise, (long)addr, (long)len, advice, 0, 0, 0);
}

/*
 * Private memory of whole pages, with inaccessible pages around it. Returns mmap()'s
 * error pointer on failure: sys_is_error(). Without the gaps the kernel could merge it
 * with the program's own mapping next to it, and mark all of that soft-dirty.
 */
void *sys_memory(size_t len);
void sys_memory_free(void *memory, size_t len);

/*
 * Memory that is shared with children, with the same errors. All its pages are present at
 * once: a sweep takes an absent shared page for the one that is pinned at its address,
 * which can be the page of an earlier mapping that went unseen.
 */
void *sys_memory_shared(size_t len);

/* Signal sets are the kernel's: 64 bits, bit 0 is signal 1. Either may be NULL. */
static inline void sys_sigprocmask(int how, const uint64_t *set, uint64_t *old)
{
	sys_call(SYS_rt_sigprocmask, how, (long)set, (long)old, sizeof(uint64_t), 0, 0);
}

static inline pid_t sys_getpid(void)
{
	return (pid_t)sys_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

/* True for a pointer that is the kernel's encoding of an error. */
static inline int sys_is_error(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)-4095;
}

#endif
