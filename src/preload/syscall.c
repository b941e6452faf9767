/* SPDX-License-Identifier: MIT */
/*
 * syscall(): the numbers that one of our functions stands in front of go to
 * that function, which reports errors in the same way.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "preload/next.h"
#include "base/sys.h"

#define FD   ((int)a[0])
#define PATH ((const char *)a[0])
#define AT   ((const char *)a[1])

static long call(long nr, const long a[6])
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
		return open64(PATH, (int)a[1], (mode_t)a[2]);
	case SYS_readlink:
		return readlink(PATH, (char *)a[1], (size_t)a[2]);
	case SYS_stat:
		return stat(PATH, (struct stat *)a[1]);
	case SYS_lstat:
		return lstat(PATH, (struct stat *)a[1]);
	case SYS_access:
		return access(PATH, (int)a[1]);
	case SYS_dup2:
		return dup2(FD, (int)a[1]);
	case SYS_creat:
		return creat64(PATH, (mode_t)a[1]);
#endif
	case SYS_openat2:
		return preload_openat2(FD, AT, (const struct uapi_open_how *)a[2], (size_t)a[3]);
	case SYS_faccessat2:
		return faccessat(FD, AT, (int)a[2], (int)a[3]);
	case SYS_openat:
		return openat64(FD, AT, (int)a[2], (mode_t)a[3]);
	case SYS_readlinkat:
		return readlinkat(FD, AT, (char *)a[2], (size_t)a[3]);
	case SYS_newfstatat:
		return fstatat(FD, AT, (struct stat *)a[2], (int)a[3]);
	case SYS_statx:
		return statx(FD, AT, (int)a[2], (unsigned int)a[3], (struct statx *)a[4]);
	case SYS_faccessat:
		return faccessat(FD, AT, (int)a[2], 0);
	case SYS_chdir:
		return chdir(PATH);
	case SYS_fchdir:
		return fchdir(FD);
	case SYS_getdents64:
		return getdents64(FD, (void *)a[1], (size_t)a[2]);
	case SYS_close:
		return close(FD);
	case SYS_close_range:
		return close_range((unsigned int)a[0], (unsigned int)a[1], (int)a[2]);
	case SYS_dup:
		return dup(FD);
	case SYS_dup3:
		return dup3(FD, (int)a[1], (int)a[2]);
	case SYS_fcntl:
		return fcntl(FD, (int)a[1], a[2]);
	case SYS_ioctl:
		return ioctl(FD, (ioctl_request_t)a[1], a[2]);
	case SYS_read:
		return read(FD, (void *)a[1], (size_t)a[2]);
	case SYS_write:
		return write(FD, (const void *)a[1], (size_t)a[2]);
	case SYS_pwrite64:
		return pwrite64(FD, (const void *)a[1], (size_t)a[2], a[3]);
	case SYS_fstat:
		return fstat(FD, (struct stat *)a[1]);
	case SYS_pread64:
		return pread64(FD, (void *)a[1], (size_t)a[2], a[3]);
	case SYS_readv:
		return readv(FD, (const struct iovec *)a[1], (int)a[2]);
	case SYS_preadv:
		return preadv64(FD, (const struct iovec *)a[1], (int)a[2], a[3]);
	case SYS_preadv2:
		return preadv64v2(FD, (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]);
	case SYS_writev:
		return writev(FD, (const struct iovec *)a[1], (int)a[2]);
	case SYS_pwritev:
		return pwritev64(FD, (const struct iovec *)a[1], (int)a[2], a[3]);
	case SYS_pwritev2:
		return pwritev64v2(FD, (const struct iovec *)a[1], (int)a[2], a[3], (int)a[5]);
	case SYS_recvmsg:
		return recvmsg(FD, (struct msghdr *)a[1], (int)a[2]);
	case SYS_recvmmsg:
		return recvmmsg(FD, (struct mmsghdr *)a[1], (unsigned int)a[2], (int)a[3],
				(struct timespec *)a[4]);
	case SYS_pidfd_getfd:
		return pidfd_getfd(FD, (int)a[1], (unsigned int)a[2]);
	case SYS_remap_file_pages:
		return remap_file_pages((void *)a[0], (size_t)a[1], (int)a[2], (size_t)a[3],
					(int)a[4]);
	case SYS_shmat:
		return (long)shmat(FD, (const void *)a[1], (int)a[2]);
	case SYS_shmdt:
		return shmdt((const void *)a[0]);
	case SYS_fallocate:
		return fallocate64(FD, (int)a[1], a[2], a[3]);
	case SYS_truncate:
		return truncate64(PATH, a[1]);
	case SYS_ftruncate:
		return ftruncate64(FD, a[1]);
	default:
		return NEXT(syscall)(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}

long syscall(long nr, ...)
{
	long a[6], ret;
	va_list args;

	va_start(args, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return memory_by_number(nr, a, &ret) ? ret : call(nr, a);
}
