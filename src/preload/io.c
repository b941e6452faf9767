/* SPDX-License-Identifier: MIT */
/* What is done to a descriptor: ioctl, read, receive. */
#include <fcntl.h>
#include <aio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/event.h"
#include "base/sys.h"
#include "door/fd.h"
#include "door/lookup.h"
#include "door/observe.h"
#include "preload/next.h"

#define IOCTL(fd, cmd, arg, call)                                                                  \
	({                                                                                         \
		uint64_t start_ = event_start();                                                   \
		long ret_;                                                                         \
		if (fd_ioctl(fd, (unsigned int)(cmd), arg, &ret_))                                 \
			ret_ = result(ret_);                                                       \
		else                                                                               \
			ret_ = (call);                                                             \
		observe_ioctl(fd, (unsigned int)(cmd), arg, ret_ < 0 ? -errno : ret_, start_);     \
		ret_;                                                                              \
	})

ELSEWHERE long ioctl_ours(int fd, ioctl_request_t cmd, unsigned long arg)
{
	return IOCTL(fd, cmd, arg, NEXT(ioctl)(fd, cmd, arg));
}

int any_ioctl(int fd, ioctl_request_t cmd, unsigned long arg) IS(ioctl);
int any_ioctl(int fd, ioctl_request_t cmd, unsigned long arg)
{
	/* The kernel looks at 32 bits of the request. */
	if (!fd_may_ioctl(fd, (unsigned int)cmd))
		return NEXT(ioctl)(fd, cmd, arg);
	return (int)ioctl_ours(fd, cmd, arg);
}

/*
 * A group's descriptor can be that of an open device underneath, and natively
 * nothing can be read from or written to a group. The kernel looks first for
 * what it was opened for.
 */
static inline ssize_t refused(int fd, int forbidden)
{
	return result((fd_file_flags(fd, 0) & O_ACCMODE) == forbidden ? -EBADF : -EINVAL);
}

#define TRANSFER(kind, forbidden, fd, buf, len, pos, call)                                         \
	({                                                                                         \
		uint64_t start_ = event_start();                                                   \
		ssize_t ret_;                                                                      \
		if (fd_is_mute(fd)) {                                                              \
			ret_ = refused(fd, forbidden);                                             \
		} else {                                                                           \
			ret_ = (call);                                                             \
			observe_transfer(kind, fd, buf, len, pos, ret_ < 0 ? -errno : ret_,        \
					 start_);                                                  \
		}                                                                                  \
		ret_;                                                                              \
	})

/* The kernel fills the buffer: the entries in it may need our frames. */
#define LOOK_UP(fd, buf, pos, call)                                                                \
	({                                                                                         \
		uint64_t start_ = event_start();                                                   \
		ssize_t len_ = (call);                                                             \
		len_ > 0 ? result(lookup_read(fd, buf, len_, pos, start_)) : len_;                 \
	})

#define READ(fd, buf, len, pos, call)                                                              \
	(fd_is_pagemap(fd) ? LOOK_UP(fd, buf, pos, call)                                           \
			   : TRANSFER(TRACE_READ, O_WRONLY, fd, buf, len, pos, call))
#define WRITE(fd, buf, len, pos, call) TRANSFER(TRACE_WRITE, O_RDONLY, fd, buf, len, pos, call)

ELSEWHERE ssize_t read_ours(int fd, void *buf, size_t len, __typeof__(next.read) call)
{
	return READ(fd, buf, len, -1, call(fd, buf, len));
}

ELSEWHERE ssize_t pread_ours(int fd, void *buf, size_t len, off_t pos, __typeof__(next.pread) call)
{
	return READ(fd, buf, len, pos, call(fd, buf, len, pos));
}

ELSEWHERE ssize_t write_ours(int fd, const void *buf, size_t len, __typeof__(next.write) call)
{
	return WRITE(fd, buf, len, -1, call(fd, buf, len));
}

ELSEWHERE ssize_t pwrite_ours(int fd, const void *buf, size_t len, off_t pos,
			      __typeof__(next.pwrite) call)
{
	return WRITE(fd, buf, len, pos, call(fd, buf, len, pos));
}

ssize_t read(int fd, void *buf, size_t len)
{
	return is_ours(fd) ? read_ours(fd, buf, len, NEXT(read)) : NEXT(read)(fd, buf, len);
}

ssize_t __read(int fd, void *buf, size_t len)
{
	return is_ours(fd) ? read_ours(fd, buf, len, NEXT(__read)) : NEXT(__read)(fd, buf, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t pos)
{
	return is_ours(fd) ? pread_ours(fd, buf, len, pos, NEXT(pread))
			   : NEXT(pread)(fd, buf, len, pos);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? pread_ours(fd, buf, len, pos, NEXT(pread64))
			   : NEXT(pread64)(fd, buf, len, pos);
}

ssize_t __pread64(int fd, void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? pread_ours(fd, buf, len, pos, NEXT(__pread64))
			   : NEXT(__pread64)(fd, buf, len, pos);
}

/* Where the buffer is too small libc ends the program. */

ssize_t __read_chk(int fd, void *buf, size_t len, size_t buf_size)
{
	return is_ours(fd) && len <= buf_size ? read_ours(fd, buf, len, NEXT(read))
					      : NEXT(__read_chk)(fd, buf, len, buf_size);
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t pos, size_t buf_size)
{
	return is_ours(fd) && len <= buf_size ? pread_ours(fd, buf, len, pos, NEXT(pread))
					      : NEXT(__pread_chk)(fd, buf, len, pos, buf_size);
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t pos, size_t buf_size)
{
	return is_ours(fd) && len <= buf_size ? pread_ours(fd, buf, len, pos, NEXT(pread64))
					      : NEXT(__pread64_chk)(fd, buf, len, pos, buf_size);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	return is_ours(fd) ? write_ours(fd, buf, len, NEXT(write)) : NEXT(write)(fd, buf, len);
}

ssize_t __write(int fd, const void *buf, size_t len)
{
	return is_ours(fd) ? write_ours(fd, buf, len, NEXT(__write)) : NEXT(__write)(fd, buf, len);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t pos)
{
	return is_ours(fd) ? pwrite_ours(fd, buf, len, pos, NEXT(pwrite))
			   : NEXT(pwrite)(fd, buf, len, pos);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? pwrite_ours(fd, buf, len, pos, NEXT(pwrite64))
			   : NEXT(pwrite64)(fd, buf, len, pos);
}

ssize_t __pwrite64(int fd, const void *buf, size_t len, off64_t pos)
{
	return is_ours(fd) ? pwrite_ours(fd, buf, len, pos, NEXT(__pwrite64))
			   : NEXT(__pwrite64)(fd, buf, len, pos);
}

/* The same where the bytes lie in several places. pos is -1 for the descriptor's own. */
static ssize_t were_read(int fd, const struct iovec *iov, ssize_t len, off_t pos)
{
	ssize_t left = len;
	off_t at = pos;

	if (len <= 0 || fdtab_kind(fd) != FD_PAGEMAP)
		return len;
	if (at < 0)
		at = lseek(fd, 0, SEEK_CUR) - len;
	for (; left > 0; iov++) {
		size_t part = iov->iov_len < (size_t)left ? iov->iov_len : (size_t)left;
		int ret = lookup_patch(fd, iov->iov_base, part, at);

		if (ret) {
			if (pos < 0)
				lseek(fd, at - (len - left), SEEK_SET);
			return result(ret);
		}
		at += (off_t)part;
		left -= (ssize_t)part;
	}
	return len;
}

/* Nothing can be read from or written to a container or group. */
#define VECTOR(fd, call)	  (fd_is_mute(fd) ? result(-EINVAL) : (call))
#define READV(fd, iov, pos, call) VECTOR(fd, were_read(fd, iov, call, pos))

ssize_t readv(int fd, const struct iovec *iov, int count)
{
	return READV(fd, iov, -1, NEXT(readv)(fd, iov, count));
}

ssize_t preadv(int fd, const struct iovec *iov, int count, off_t pos)
{
	return READV(fd, iov, pos, NEXT(preadv)(fd, iov, count, pos));
}

ssize_t preadv64(int fd, const struct iovec *iov, int count, off64_t pos)
{
	return READV(fd, iov, pos, NEXT(preadv64)(fd, iov, count, pos));
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
	return READV(fd, iov, pos, NEXT(preadv2)(fd, iov, count, pos, flags));
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t pos, int flags)
{
	return READV(fd, iov, pos, NEXT(preadv64v2)(fd, iov, count, pos, flags));
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return VECTOR(fd, NEXT(writev)(fd, iov, count));
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
	return VECTOR(fd, NEXT(pwritev)(fd, iov, count, pos));
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t pos)
{
	return VECTOR(fd, NEXT(pwritev64)(fd, iov, count, pos));
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t pos, int flags)
{
	return VECTOR(fd, NEXT(pwritev2)(fd, iov, count, pos, flags));
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t pos, int flags)
{
	return VECTOR(fd, NEXT(pwritev64v2)(fd, iov, count, pos, flags));
}

static void parts_received(const struct msghdr *msg)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(msg); part;
	     part = CMSG_NXTHDR((struct msghdr *)msg, part)) {
		const int *fds = (const int *)CMSG_DATA(part);

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(*fds)) <= part->cmsg_len; i++)
			fd_received(fds[i]);
	}
}

static ssize_t received(const struct msghdr *msg, ssize_t len)
{
	if (len >= 0 && msg->msg_controllen)
		parts_received(msg);
	return len;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	return received(msg, NEXT(recvmsg)(fd, msg, flags));
}

static int all_received(const struct mmsghdr *msgs, int count)
{
	for (int i = 0; i < count; i++)
		received(&msgs[i].msg_hdr, 0);
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

/*
 * libc reads in a thread of its own, where nobody sees it. What it is about to
 * find there is pinned before, and so is what it finds.
 */
static bool pin_before(int fd, off64_t pos, size_t len)
{
	uint64_t entries[64];
	size_t part;

	if (fdtab_kind(fd) != FD_PAGEMAP)
		return true;
	for (; len; len -= part, pos += (off64_t)part) {
		part = len < sizeof(entries) ? len : sizeof(entries);
		if (pread64(fd, entries, part, pos) < 0)
			return false;
	}
	return true;
}

int aio_read(struct aiocb *request)
{
	return pin_before(request->aio_fildes, request->aio_offset, request->aio_nbytes)
		       ? NEXT(aio_read)(request)
		       : -1;
}

int aio_read64(struct aiocb64 *request)
{
	return pin_before(request->aio_fildes, request->aio_offset, request->aio_nbytes)
		       ? NEXT(aio_read64)(request)
		       : -1;
}

#define PIN_BEFORE_ALL(list, count)                                                                \
	({                                                                                         \
		bool pinned_ = true;                                                               \
		for (int i = 0; pinned_ && i < (count); i++)                                       \
			if ((list)[i] && (list)[i]->aio_lio_opcode == LIO_READ)                    \
				pinned_ = pin_before((list)[i]->aio_fildes, (list)[i]->aio_offset, \
						     (list)[i]->aio_nbytes);                       \
		pinned_;                                                                           \
	})

int lio_listio(int mode, aio_list_t list, int count, struct sigevent *event)
{
	return PIN_BEFORE_ALL(list, count) ? NEXT(lio_listio)(mode, list, count, event) : -1;
}

int lio_listio64(int mode, struct aiocb64 *const list[], int count, struct sigevent *event)
{
	return PIN_BEFORE_ALL(list, count) ? NEXT(lio_listio64)(mode, list, count, event) : -1;
}

#define FD   ((int)a[0])
#define BUF  ((void *)a[1])
#define LEN  ((size_t)a[2])
#define IOV  ((const struct iovec *)a[1])
#define CALL BY_NUMBER(nr, a)

bool io_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
	case SYS_ioctl:
		*ret = fd_may_ioctl(FD, (unsigned int)a[1])
			       ? IOCTL(FD, a[1], (unsigned long)a[2], CALL)
			       : CALL;
		return true;
	case SYS_read:
		*ret = is_ours(FD) ? READ(FD, BUF, LEN, -1, CALL) : CALL;
		return true;
	case SYS_pread64:
		*ret = is_ours(FD) ? READ(FD, BUF, LEN, a[3], CALL) : CALL;
		return true;
	case SYS_write:
		*ret = is_ours(FD) ? WRITE(FD, BUF, LEN, -1, CALL) : CALL;
		return true;
	case SYS_pwrite64:
		*ret = is_ours(FD) ? WRITE(FD, BUF, LEN, a[3], CALL) : CALL;
		return true;
	case SYS_readv:
		*ret = READV(FD, IOV, -1, CALL);
		return true;
	case SYS_preadv:
	case SYS_preadv2:
		*ret = READV(FD, IOV, a[3], CALL);
		return true;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
		*ret = VECTOR(FD, CALL);
		return true;
	case SYS_recvmsg:
		*ret = received((const struct msghdr *)a[1], CALL);
		return true;
	case SYS_recvmmsg:
		*ret = all_received((const struct mmsghdr *)a[1], (int)CALL);
		return true;
	case SYS_pidfd_getfd:
		*ret = got((int)CALL);
		return true;
	default:
		return false;
	}
}
