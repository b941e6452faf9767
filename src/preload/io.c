/* SPDX-License-Identifier: MIT */
/* Calls on a descriptor: ioctl, read, write, recvmsg. */
#include <aio.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/slow.h"

int any_ioctl(int fd, ioctl_request_t cmd, unsigned long arg) IS(ioctl);
int any_ioctl(int fd, ioctl_request_t cmd, unsigned long arg)
{
	/* The kernel uses 32 bits of the request. */
	return fd_may_ioctl(fd, (unsigned int)cmd) ? slow_ioctl(fd, cmd, arg, NEXT(ioctl))
						   : NEXT(ioctl)(fd, cmd, arg);
}

ssize_t read(int fd, void *buf, size_t len)
{
	return is_ours(fd) ? slow_read(fd, buf, len, NEXT(read)) : NEXT(read)(fd, buf, len);
}

ssize_t __read(int fd, void *buf, size_t len)
{
	return is_ours(fd) ? slow_read(fd, buf, len, NEXT(__read)) : NEXT(__read)(fd, buf, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t pos)
{
	return is_ours(fd) ? slow_pread(fd, buf, len, pos, NEXT(pread))
			   : NEXT(pread)(fd, buf, len, pos);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? slow_pread(fd, buf, len, pos, NEXT(pread64))
			   : NEXT(pread64)(fd, buf, len, pos);
}

ssize_t __pread64(int fd, void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? slow_pread(fd, buf, len, pos, NEXT(__pread64))
			   : NEXT(__pread64)(fd, buf, len, pos);
}

/* libc aborts the program if the buffer is too small. */

ssize_t __read_chk(int fd, void *buf, size_t len, size_t buf_size)
{
	return is_ours(fd) && len <= buf_size ? slow_read(fd, buf, len, NEXT(read))
					      : NEXT(__read_chk)(fd, buf, len, buf_size);
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t pos, size_t buf_size)
{
	return is_ours(fd) && len <= buf_size ? slow_pread(fd, buf, len, pos, NEXT(pread))
					      : NEXT(__pread_chk)(fd, buf, len, pos, buf_size);
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t pos, size_t buf_size)
{
	return is_ours(fd) && len <= buf_size ? slow_pread(fd, buf, len, pos, NEXT(pread64))
					      : NEXT(__pread64_chk)(fd, buf, len, pos, buf_size);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return is_ours(fd) ? slow_write(fd, buf, len, NEXT(write)) : NEXT(write)(fd, buf, len);
}

ssize_t __write(int fd, const void *buf, size_t len)
{
	return is_ours(fd) ? slow_write(fd, buf, len, NEXT(__write)) : NEXT(__write)(fd, buf, len);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t pos)
{
	return is_ours(fd) ? slow_pwrite(fd, buf, len, pos, NEXT(pwrite))
			   : NEXT(pwrite)(fd, buf, len, pos);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? slow_pwrite(fd, buf, len, pos, NEXT(pwrite64))
			   : NEXT(pwrite64)(fd, buf, len, pos);
}

ssize_t __pwrite64(int fd, const void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? slow_pwrite(fd, buf, len, pos, NEXT(__pwrite64))
			   : NEXT(__pwrite64)(fd, buf, len, pos);
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
	return slow_readv(fd, iov, count, NEXT(readv));
}

ssize_t preadv(int fd, const struct iovec *iov, int count, off_t pos)
{
	return slow_preadv(fd, iov, count, pos, NEXT(preadv));
}

ssize_t preadv64(int fd, const struct iovec *iov, int count, off64_t pos)
{
	return slow_preadv(fd, iov, count, pos, NEXT(preadv64));
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
	return slow_preadv2(fd, iov, count, pos, flags, NEXT(preadv2));
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t pos, int flags)
{
	return slow_preadv2(fd, iov, count, pos, flags, NEXT(preadv64v2));
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return slow_writev(fd, iov, count, NEXT(writev));
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
	return slow_pwritev(fd, iov, count, pos, NEXT(pwritev));
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t pos)
{
	return slow_pwritev(fd, iov, count, pos, NEXT(pwritev64));
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
	return slow_pwritev2(fd, iov, count, pos, flags, NEXT(pwritev2));
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t pos, int flags)
{
	return slow_pwritev2(fd, iov, count, pos, flags, NEXT(pwritev64v2));
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	return slow_received(msg, NEXT(recvmsg)(fd, msg, flags));
}

static int all_received(const struct mmsghdr *msgs, int count)
{
	for (int i = 0; i < count; i++)
		slow_received(&msgs[i].msg_hdr, 0);
	return count;
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned int count, recvmmsg_flags_t flags,
	     struct timespec *timeout)
{
	return all_received(msgs, NEXT(recvmmsg)(fd, msgs, count, flags, timeout));
}

static int got(int fd)
{
	if (fd >= 0)
		fd_received(fd);
	return fd;
}

int pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	return got(NEXT(pidfd_getfd)(pidfd, fd, flags));
}

/* ---- asynchronous reads ---- */

#ifdef __GLIBC__
/* Both structs are the same on the 64-bit architectures that are supported. */
_Static_assert(sizeof(struct aiocb) == sizeof(struct aiocb64), "struct aiocb64");
#endif

static bool pin_before(const struct aiocb *request)
{
	return slow_pin_before(request->aio_fildes, request->aio_offset, request->aio_nbytes);
}

static bool pin_before_all(const struct aiocb *const list[], int count)
{
	bool pinned = true;

	for (int i = 0; pinned && i < count; i++)
		if (list[i] && list[i]->aio_lio_opcode == LIO_READ)
			pinned = pin_before(list[i]);
	return pinned;
}

int aio_read(struct aiocb *request)
{
	return pin_before(request) ? NEXT(aio_read)(request) : -1;
}

int aio_read64(struct aiocb64 *request)
{
	return pin_before((struct aiocb *)request) ? NEXT(aio_read64)(request) : -1;
}

int lio_listio(int mode, aio_list_t list, int count, struct sigevent *event)
{
	return pin_before_all((const struct aiocb *const *)list, count)
		       ? NEXT(lio_listio)(mode, list, count, event)
		       : -1;
}

int lio_listio64(int mode, struct aiocb64 *const list[], int count, struct sigevent *event)
{
	return pin_before_all((const struct aiocb *const *)list, count)
		       ? NEXT(lio_listio64)(mode, list, count, event)
		       : -1;
}

/* ---- by number ---- */

static int ioctl_by_number(int fd, ioctl_request_t cmd, ...)
{
	unsigned long arg;
	va_list args;

	va_start(args, cmd);
	arg = va_arg(args, unsigned long);
	va_end(args);
	return (int)NEXT(syscall)(SYS_ioctl, fd, cmd, arg);
}

static ssize_t read_by_number(int fd, void *buf, size_t len)
{
	return NEXT(syscall)(SYS_read, fd, buf, len);
}

static ssize_t pread_by_number(int fd, void *buf, size_t len, off_t pos)
{
	return NEXT(syscall)(SYS_pread64, fd, buf, len, pos);
}

static ssize_t write_by_number(int fd, const void *buf, size_t len)
{
	return NEXT(syscall)(SYS_write, fd, buf, len);
}

static ssize_t pwrite_by_number(int fd, const void *buf, size_t len, off_t pos)
{
	return NEXT(syscall)(SYS_pwrite64, fd, buf, len, pos);
}

static ssize_t readv_by_number(int fd, const struct iovec *iov, int count)
{
	return NEXT(syscall)(SYS_readv, fd, iov, (long)count);
}

/* The kernel takes the position in two halves; on 64 bits the first contains all of it. */

static ssize_t preadv_by_number(int fd, const struct iovec *iov, int count, off_t pos)
{
	return NEXT(syscall)(SYS_preadv, fd, iov, (long)count, pos, 0L);
}

static ssize_t preadv2_by_number(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
	return NEXT(syscall)(SYS_preadv2, fd, iov, (long)count, pos, 0L, flags);
}

#define FD   ((int)a[0])
#define BUF  ((void *)a[1])
#define LEN  ((size_t)a[2])
#define CALL BY_NUMBER(nr, a)

static bool transfer_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
	case SYS_read:
		*ret = is_ours(FD) ? slow_read(FD, BUF, LEN, read_by_number) : CALL;
		return true;
	case SYS_pread64:
		*ret = is_ours(FD) ? slow_pread(FD, BUF, LEN, a[3], pread_by_number) : CALL;
		return true;
	case SYS_write:
		*ret = is_ours(FD) ? slow_write(FD, BUF, LEN, write_by_number) : CALL;
		return true;
	case SYS_pwrite64:
		*ret = is_ours(FD) ? slow_pwrite(FD, BUF, LEN, a[3], pwrite_by_number) : CALL;
		return true;
	case SYS_readv:
		*ret = slow_readv(FD, BUF, (int)a[2], readv_by_number);
		return true;
	case SYS_preadv:
		*ret = slow_preadv(FD, BUF, (int)a[2], a[3], preadv_by_number);
		return true;
	case SYS_preadv2:
		*ret = slow_preadv2(FD, BUF, (int)a[2], a[3], (int)a[5], preadv2_by_number);
		return true;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
		*ret = fd_is_mute(FD) ? result(-EINVAL) : CALL;
		return true;
	default:
		return false;
	}
}

bool io_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
	case SYS_ioctl:
		*ret = fd_may_ioctl(FD, (unsigned int)a[1])
			       ? slow_ioctl(FD, (ioctl_request_t)a[1], (unsigned long)a[2],
					    ioctl_by_number)
			       : CALL;
		return true;
	case SYS_recvmsg:
		*ret = slow_received((const struct msghdr *)a[1], CALL);
		return true;
	case SYS_recvmmsg:
		*ret = all_received((const struct mmsghdr *)a[1], (int)CALL);
		return true;
	case SYS_pidfd_getfd:
		*ret = got((int)CALL);
		return true;
	default:
		return transfer_by_number(nr, a, ret);
	}
}
