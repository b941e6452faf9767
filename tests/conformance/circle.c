/* SPDX-License-Identifier: MIT */
/*
 * Preloaded behind the library, makes calls by another of their names or by
 * their number. That comes to the library once more, which has to go on to
 * libc then, and not to here again.
 */
#include <sys/syscall.h>

#include "preload/next.h"

#define SAME(type, name, params, call)                                                             \
	type name params                                                                           \
	{                                                                                          \
		return (type)call;                                                                 \
	}
#define ANY_SAME(name, params, call)                                                               \
	int any_##name params IS(name);                                                            \
	SAME(int, any_##name, params, call)

/* One name by another. */
ANY_SAME(open, (const char *path, int flags, mode_t mode), __open(path, flags, mode))
ANY_SAME(open64, (const char *path, int flags, mode_t mode), __open64(path, flags, mode))
ANY_SAME(openat64, (int dirfd, const char *path, int flags, mode_t mode),
	 openat(dirfd, path, flags, mode))
ANY_SAME(fcntl, (int fd, int cmd, long arg), __fcntl(fd, cmd, arg))
ANY_SAME(fcntl64, (int fd, int cmd, long arg), fcntl(fd, cmd, arg))
SAME(int, creat, (const char *path, mode_t mode), open(path, O_CREAT | O_WRONLY | O_TRUNC, mode))
SAME(int, close, (int fd), __close(fd))
SAME(int, dup2, (int oldfd, int newfd), __dup2(oldfd, newfd))
SAME(ssize_t, read, (int fd, void *buf, size_t len), __read(fd, buf, len))
SAME(ssize_t, write, (int fd, const void *buf, size_t len), __write(fd, buf, len))
SAME(ssize_t, pread, (int fd, void *buf, size_t len, off_t pos), pread64(fd, buf, len, pos))
SAME(ssize_t, pread64, (int fd, void *buf, size_t len, off64_t pos), __pread64(fd, buf, len, pos))
SAME(ssize_t, pwrite64, (int fd, const void *buf, size_t len, off64_t pos),
     pwrite(fd, buf, len, pos))
SAME(void *, mmap64, (void *addr, size_t len, int prot, int flags, int fd, off64_t pos),
     mmap(addr, len, prot, flags, fd, pos))
SAME(char *, realpath, (const char *path, char *to),
     to ? __realpath_chk(path, to, 4096) : canonicalize_file_name(path))
SAME(int, eaccess, (const char *path, int mode), euidaccess(path, mode))
SAME(FILE *, fopen, (const char *path, const char *mode), _IO_fopen(path, mode))
SAME(int, fclose, (FILE * stream), _IO_fclose(stream))
SAME(size_t, fread, (void *buf, size_t size, size_t count, FILE *stream),
     _IO_fread(buf, size, count, stream))

/* By number: what no thread can be cancelled in. */
ANY_SAME(ioctl, (int fd, ioctl_request_t cmd, long arg), syscall(SYS_ioctl, fd, cmd, arg))
SAME(int, dup, (int fd), syscall(SYS_dup, fd))
SAME(int, dup3, (int oldfd, int newfd, int flags), syscall(SYS_dup3, oldfd, newfd, flags))
SAME(int, close_range, (unsigned int first, unsigned int last, int flags),
     syscall(SYS_close_range, first, last, flags))
SAME(ssize_t, readlink, (const char *path, char *buf, size_t size),
     syscall(SYS_readlinkat, AT_FDCWD, path, buf, size))
SAME(ssize_t, readlinkat, (int dirfd, const char *path, char *buf, size_t size),
     syscall(SYS_readlinkat, dirfd, path, buf, size))
SAME(int, stat, (const char *path, struct stat *st), syscall(SYS_newfstatat, AT_FDCWD, path, st, 0))
SAME(int, fstat, (int fd, struct stat *st), syscall(SYS_fstat, fd, st))
SAME(int, fstatat, (int dirfd, const char *path, struct stat *st, int flags),
     syscall(SYS_newfstatat, dirfd, path, st, flags))
SAME(int, statx, (int dirfd, const char *path, int flags, unsigned int mask, struct statx *st),
     syscall(SYS_statx, dirfd, path, flags, mask, st))
SAME(int, access, (const char *path, int mode), syscall(SYS_faccessat, AT_FDCWD, path, mode))
SAME(int, chdir, (const char *path), syscall(SYS_chdir, path))
SAME(int, fchdir, (int fd), syscall(SYS_fchdir, fd))
SAME(ssize_t, getdents64, (int fd, void *buf, size_t size), syscall(SYS_getdents64, fd, buf, size))
SAME(int, munmap, (void *addr, size_t len), syscall(SYS_munmap, addr, len))
SAME(int, madvise, (void *addr, size_t len, int advice), syscall(SYS_madvise, addr, len, advice))
SAME(int, shmdt, (const void *addr), syscall(SYS_shmdt, addr))
SAME(int, fallocate64, (int fd, int mode, off64_t pos, off64_t len),
     syscall(SYS_fallocate, fd, mode, pos, len))
SAME(int, ftruncate64, (int fd, off64_t len), syscall(SYS_ftruncate, fd, len))
SAME(int, truncate64, (const char *path, off64_t len), syscall(SYS_truncate, path, len))
