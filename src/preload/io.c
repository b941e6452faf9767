/* SPDX-License-Identifier: MIT */
/* What is done to a descriptor: ioctl and read. */
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "legacy/legacy.h"
#include "preload/next.h"

int ioctl(int fd, ioctl_request_t cmd, ...)
{
	va_list args;
	unsigned long arg;
	long ret;

	va_start(args, cmd);
	arg = va_arg(args, unsigned long);
	va_end(args);
	/* The kernel looks at 32 bits of the request. */
	if (legacy_may_ioctl(fd, (unsigned int)cmd) &&
	    legacy_ioctl(fd, (unsigned int)cmd, arg, &ret))
		return (int)result(ret);
	return NEXT(ioctl)(fd, cmd, arg);
}

/* The kernel has filled the buffer: the entries in it may need our frames. */
static ssize_t was_read(int fd, void *buf, ssize_t len, off_t pos)
{
	if (len <= 0 || fdtab_kind(fd) != FD_PAGEMAP)
		return len;
	return result(legacy_pagemap_read(fd, buf, len, pos));
}

ssize_t read(int fd, void *buf, size_t len)
{
	return was_read(fd, buf, NEXT(read)(fd, buf, len), -1);
}

ssize_t pread(int fd, void *buf, size_t len, off_t pos)
{
	return was_read(fd, buf, NEXT(pread)(fd, buf, len, pos), pos);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t pos)
{
	return was_read(fd, buf, NEXT(pread64)(fd, buf, len, pos), pos);
}

ssize_t __read_chk(int fd, void *buf, size_t len, size_t buf_size)
{
	return was_read(fd, buf, NEXT(__read_chk)(fd, buf, len, buf_size), -1);
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t pos, size_t buf_size)
{
	return was_read(fd, buf, NEXT(__pread_chk)(fd, buf, len, pos, buf_size), pos);
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t pos, size_t buf_size)
{
	return was_read(fd, buf, NEXT(__pread64_chk)(fd, buf, len, pos, buf_size), pos);
}
