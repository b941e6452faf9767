/* SPDX-License-Identifier: MIT */
/* Slow paths of ioctl, read and write, and received descriptors. */
#include <sys/uio.h>

#include "base/event.h"
#include "base/sys.h"
#include "door/lookup.h"
#include "door/observe.h"
#include "preload/slow.h"

int slow_ioctl(int fd, ioctl_request_t cmd, unsigned long arg, __typeof__(ioctl) *call)
{
	uint64_t start = event_start();
	long ret;

	if (fd_ioctl(fd, (unsigned int)cmd, arg, &ret))
		ret = result(ret);
	else
		ret = call(fd, cmd, arg);
	observe_ioctl(fd, (unsigned int)cmd, arg, ret < 0 ? -errno : ret, start);
	return (int)ret;
}

/*
 * A group's descriptor can be an open device underneath, but a group cannot be read or
 * written. As in the kernel, the access mode is checked first.
 */
static ssize_t refused(int fd, int forbidden)
{
	return result((fd_file_flags(fd, 0) & O_ACCMODE) == forbidden ? -EBADF : -EINVAL);
}

static ssize_t observed(enum trace_kind kind, int fd, const void *buf, size_t len, off_t pos,
			ssize_t ret, uint64_t start)
{
	observe_transfer(kind, fd, buf, len, pos, ret < 0 ? -errno : ret, start);
	return ret;
}

/* The kernel filled the buffer; replaces the frames where necessary. */
static ssize_t looked_up(int fd, void *buf, off_t pos, ssize_t len, uint64_t start)
{
	return len > 0 ? result(lookup_read(fd, buf, len, pos, start)) : len;
}

/* On what is no pagemap. */
static __attribute__((noinline)) ssize_t other_read(int fd, void *buf, size_t len,
						    __typeof__(read) *call)
{
	uint64_t start = event_start();

	if (fd_is_mute(fd))
		return refused(fd, O_WRONLY);
	return observed(TRACE_READ, fd, buf, len, -1, call(fd, buf, len), start);
}

static __attribute__((noinline)) ssize_t other_pread(int fd, void *buf, size_t len, off_t pos,
						     __typeof__(pread) *call)
{
	uint64_t start = event_start();

	if (fd_is_mute(fd))
		return refused(fd, O_WRONLY);
	return observed(TRACE_READ, fd, buf, len, pos, call(fd, buf, len, pos), start);
}

ssize_t slow_read(int fd, void *buf, size_t len, __typeof__(read) *call)
{
	uint64_t start;

	if (!fd_is_pagemap(fd))
		return other_read(fd, buf, len, call);
	start = event_start();
	return looked_up(fd, buf, -1, call(fd, buf, len), start);
}

ssize_t slow_pread(int fd, void *buf, size_t len, off_t pos, __typeof__(pread) *call)
{
	uint64_t start;

	if (!fd_is_pagemap(fd))
		return other_pread(fd, buf, len, pos, call);
	start = event_start();
	return looked_up(fd, buf, pos, call(fd, buf, len, pos), start);
}

ssize_t slow_write(int fd, const void *buf, size_t len, __typeof__(write) *call)
{
	uint64_t start = event_start();

	if (fd_is_mute(fd))
		return refused(fd, O_RDONLY);
	return observed(TRACE_WRITE, fd, buf, len, -1, call(fd, buf, len), start);
}

ssize_t slow_pwrite(int fd, const void *buf, size_t len, off_t pos, __typeof__(pwrite) *call)
{
	uint64_t start = event_start();

	if (fd_is_mute(fd))
		return refused(fd, O_RDONLY);
	return observed(TRACE_WRITE, fd, buf, len, pos, call(fd, buf, len, pos), start);
}

/* ---- vectors ---- */

/* len bytes were read. pos is -1 for the descriptor's position. */
static ssize_t vector_was_read(int fd, const struct iovec *iov, off_t pos, ssize_t len)
{
	ssize_t left = len;
	off_t at = pos;

	if (len <= 0 || fdtab_kind(fd) != FD_PAGEMAP)
		return len;
	if (at < 0)
		at = sys_lseek(fd, 0, SEEK_CUR) - len;
	for (; left > 0; iov++) {
		size_t part = iov->iov_len < (size_t)left ? iov->iov_len : (size_t)left;
		int ret = lookup_patch(fd, iov->iov_base, part, at);

		if (ret) {
			if (pos < 0)
				sys_lseek(fd, at - (len - left), SEEK_SET);
			return result(ret);
		}
		at += (off_t)part;
		left -= (ssize_t)part;
	}
	return len;
}

ssize_t slow_readv(int fd, const struct iovec *iov, int count, __typeof__(readv) *call)
{
	return fd_is_mute(fd) ? result(-EINVAL)
			      : vector_was_read(fd, iov, -1, call(fd, iov, count));
}

ssize_t slow_preadv(int fd, const struct iovec *iov, int count, off_t pos, __typeof__(preadv) *call)
{
	return fd_is_mute(fd) ? result(-EINVAL)
			      : vector_was_read(fd, iov, pos, call(fd, iov, count, pos));
}

ssize_t slow_preadv2(int fd, const struct iovec *iov, int count, off_t pos, int flags,
		     __typeof__(preadv2) *call)
{
	return fd_is_mute(fd) ? result(-EINVAL)
			      : vector_was_read(fd, iov, pos, call(fd, iov, count, pos, flags));
}

ssize_t slow_writev(int fd, const struct iovec *iov, int count, __typeof__(writev) *call)
{
	return fd_is_mute(fd) ? result(-EINVAL) : call(fd, iov, count);
}

ssize_t slow_pwritev(int fd, const struct iovec *iov, int count, off_t pos,
		     __typeof__(pwritev) *call)
{
	return fd_is_mute(fd) ? result(-EINVAL) : call(fd, iov, count, pos);
}

ssize_t slow_pwritev2(int fd, const struct iovec *iov, int count, off_t pos, int flags,
		      __typeof__(pwritev2) *call)
{
	return fd_is_mute(fd) ? result(-EINVAL) : call(fd, iov, count, pos, flags);
}

/* ---- received descriptors ---- */

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

ssize_t slow_received(const struct msghdr *msg, ssize_t len)
{
	if (len >= 0 && msg->msg_controllen)
		parts_received(msg);
	return len;
}

/* ---- asynchronous reads ---- */

bool slow_pin_before(int fd, off_t pos, size_t len)
{
	uint64_t entries[32];
	ssize_t got;

	/* As for read(): a larger one is a scan, which pins nothing. */
	if (!fd_is_pagemap(fd) || len > TRACE_SCAN_PAGES * sizeof(*entries))
		return true;
	for (; len; len -= (size_t)got, pos += got) {
		uint64_t start = event_start();

		got = sys_pread(fd, entries, len < sizeof(entries) ? len : sizeof(entries), pos);
		/* The kernel will refuse the asynchronous read as well. */
		if (got <= 0)
			return true;
		got = looked_up(fd, entries, pos, got, start);
		if (got < 0)
			return false;
	}
	return true;
}
