/* SPDX-License-Identifier: MIT */
/* ioctl, read, write, receive, syscall. */
#include "conformance.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>

static void make_pipe(int ends[2])
{
	if (syscall(SYS_pipe2, ends, O_NONBLOCK))
		abort();
}

CASE(ioctl)
{
	int fd = own_file(O_RDONLY);
	int ends[2];
	int n = -1;

	make_pipe(ends);
	CALL(syscall(SYS_write, ends[1], "abc", 3));
	CALL(the.ioctl(ends[0], FIONREAD, &n));
	tell("%d to read", n);
	CALL(the.ioctl(ends[0], FIONREAD, BAD));
	/* The kernel takes 32 bits of the request. */
	CALL(the.ioctl(ends[0], (ioctl_request_t)(FIONREAD | 0xffffffff00000000UL), &n));
	CALL(the.ioctl(fd, FIOCLEX));
	CALL(syscall(SYS_fcntl, fd, F_GETFD));
	CALL(the.ioctl(fd, TCGETS, BAD));
	/* Those of VFIO, of somebody else's files. */
	for (unsigned int nr = 0x3b60; nr < 0x3b80; nr++)
		CALL(the.ioctl(fd, nr, BAD));
	CALL(the.ioctl(-1, 0x3b64, 0));
	CALL(the.ioctl(999, 0x3b67, 0));
	CALL(the.ioctl(ends[0], 0x3b68, &fd));
}

/* ---- read and write ---- */

static void reads(ssize_t with(int fd, void *buf, size_t len))
{
	int fd = own_file(O_RDONLY);
	int ends[2];
	char buf[64];
	ssize_t len;

	len = CALL(with(fd, buf, 7));
	tell_bytes(buf, len);
	len = CALL(with(fd, buf, sizeof(buf)));
	tell_bytes(buf, len);
	CALL(with(fd, buf, sizeof(buf)));
	CALL(with(fd, buf, 0));
	syscall(SYS_lseek, fd, 0L, SEEK_SET);
	CALL(with(fd, BAD, 8));
	CALL(with(-1, buf, 8));
	CALL(with(100000, buf, 8));
	CALL(with((int)syscall(SYS_openat, AT_FDCWD, "dir", O_RDONLY), buf, 8));
	CALL(with(own_file(O_WRONLY), buf, 8));
	CALL(with(own_file(O_PATH), buf, 8));
	make_pipe(ends);
	CALL(with(ends[0], buf, 8));
	syscall(SYS_write, ends[1], "abc", 3);
	len = CALL(with(ends[0], buf, 8));
	syscall(SYS_close, ends[1]);
	CALL(with(ends[0], buf, 8));
	tell_and_close(fd);
}

static ssize_t by_read_chk(int fd, void *buf, size_t len)
{
	return the.__read_chk(fd, buf, len, 64);
}

static ssize_t by_readv(int fd, void *buf, size_t len)
{
	struct iovec iov[] = {{buf, len / 2}, {NULL, 0}, {(char *)buf + len / 2, len - len / 2}};

	return the.readv(fd, iov, 3);
}

CASE(read)
{
	reads(the.read);
}

CASE(__read)
{
	reads(the.__read);
}

CASE(__read_chk)
{
	reads(by_read_chk);
}

CASE(readv)
{
	int fd = own_file(O_RDONLY);
	struct iovec iov = {BAD, 8};

	reads(by_readv);
	CALL(the.readv(fd, BAD, 1));
	CALL(the.readv(fd, &iov, -1));
	CALL(the.readv(fd, &iov, 0));
	CALL(the.readv(fd, &iov, 5000));
}

static void reads_at(ssize_t with(int fd, void *buf, size_t len, off_t pos))
{
	int fd = own_file(O_RDONLY);
	int ends[2];
	char buf[64];
	ssize_t len;

	len = CALL(with(fd, buf, 7, 4));
	tell_bytes(buf, len);
	CALL(with(fd, buf, sizeof(buf), 40));
	CALL(with(fd, buf, 8, 1000));
	CALL(with(fd, buf, 8, -5));
	CALL(with(fd, BAD, 8, 0));
	CALL(with(-1, buf, 8, 0));
	make_pipe(ends);
	CALL(with(ends[0], buf, 8, 0));
	tell_and_close(fd);
}

#define READ_AT_CASE(name, ...)                                                                    \
	static ssize_t by_##name(int fd, void *buf, size_t len, off_t pos)                         \
	{                                                                                          \
		struct iovec iov[] = {{buf, len / 2}, {(char *)buf + len / 2, len - len / 2}};     \
		(void)iov;                                                                         \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		reads_at(by_##name);                                                               \
	}

READ_AT_CASE(pread, fd, buf, len, pos)
READ_AT_CASE(pread64, fd, buf, len, pos)
READ_AT_CASE(__pread64, fd, buf, len, pos)
READ_AT_CASE(__pread_chk, fd, buf, len, pos, 64)
READ_AT_CASE(__pread64_chk, fd, buf, len, pos, 64)
READ_AT_CASE(preadv, fd, iov, 2, pos)
READ_AT_CASE(preadv64, fd, iov, 2, pos)
READ_AT_CASE(preadv2, fd, iov, 2, pos, 0)
READ_AT_CASE(preadv64v2, fd, iov, 2, pos, 0)

static void writes(ssize_t with(int fd, const void *buf, size_t len, off_t pos))
{
	int fd = own_file(O_RDWR);
	int ends[2];
	char buf[64];

	CALL(with(fd, "one", 3, 2));
	CALL(with(fd, "two", 3, 50));
	CALL(with(fd, "", 0, 0));
	CALL(with(fd, BAD, 3, 0));
	CALL(with(-1, "one", 3, 0));
	CALL(with(own_file(O_RDONLY), "one", 3, 0));
	make_pipe(ends);
	CALL(with(ends[1], "one", 3, 0));
	memset(buf, 0, sizeof(buf));
	syscall(SYS_pread64, fd, buf, sizeof(buf), 0L);
	tell_bytes(buf, sizeof(buf));
	tell_and_close(fd);
}

#define WRITE_CASE(name, ...)                                                                      \
	static ssize_t by_##name(int fd, const void *buf, size_t len, off_t pos)                   \
	{                                                                                          \
		struct iovec iov[] = {{(void *)buf, len / 2},                                      \
				      {(char *)buf + len / 2, len - len / 2}};                     \
		(void)iov;                                                                         \
		(void)pos;                                                                         \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		writes(by_##name);                                                                 \
	}

WRITE_CASE(write, fd, buf, len)
WRITE_CASE(__write, fd, buf, len)
WRITE_CASE(writev, fd, iov, 2)
WRITE_CASE(pwrite, fd, buf, len, pos)
WRITE_CASE(pwrite64, fd, buf, len, pos)
WRITE_CASE(__pwrite64, fd, buf, len, pos)
WRITE_CASE(pwritev, fd, iov, 2, pos)
WRITE_CASE(pwritev64, fd, iov, 2, pos)
WRITE_CASE(pwritev2, fd, iov, 2, pos, 0)
WRITE_CASE(pwritev64v2, fd, iov, 2, pos, 0)

/* ---- receive ---- */

union control {
	char bytes[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

static void make_sockets(int ends[2])
{
	if (syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends))
		abort();
}

/* Sends the file and the read end of a pipe. */
static void send_two(int to)
{
	struct iovec iov = {(void *)"two", 3};
	union control control = {0};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	int ends[2], fds[2] = {own_file(O_RDONLY)};

	make_pipe(ends);
	fds[1] = ends[0];
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.align), fds, sizeof(fds));
	if (syscall(SYS_sendmsg, to, &msg, 0) != 3)
		abort();
}

static void tell_message(struct msghdr *msg)
{
	struct cmsghdr *part = CMSG_FIRSTHDR(msg);
	int fds[2];

	tell("flags %x control %zu", (unsigned int)msg->msg_flags, (size_t)msg->msg_controllen);
	if (!part)
		return;
	memcpy(fds, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
	tell_and_close(fds[0]);
	if (part->cmsg_len == CMSG_LEN(sizeof(fds)))
		tell_and_close(fds[1]);
}

static void receive(size_t control_size, int flags)
{
	char bytes[16];
	struct iovec iov = {bytes, sizeof(bytes)};
	union control control;
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = control_size};
	int ends[2];

	make_sockets(ends);
	CALL(the.recvmsg(ends[0], &msg, flags));
	send_two(ends[1]);
	CALL(the.recvmsg(ends[0], &msg, flags));
	tell_message(&msg);
}

CASE(recvmsg)
{
	struct msghdr msg = {0};

	receive(CMSG_SPACE(2 * sizeof(int)), 0);
	receive(CMSG_SPACE(2 * sizeof(int)), MSG_CMSG_CLOEXEC);
	receive(CMSG_LEN(sizeof(int)), 0);
	receive(0, 0);
	CALL(the.recvmsg(-1, &msg, 0));
	CALL(the.recvmsg(own_file(O_RDONLY), &msg, 0));
	CALL(the.recvmsg(0, BAD, 0));
}

CASE(recvmmsg)
{
	char bytes[2][16];
	struct iovec iov[2] = {{bytes[0], 16}, {bytes[1], 16}};
	union control control[2];
	struct mmsghdr msgs[2] = {{{.msg_iov = &iov[0], .msg_iovlen = 1}, 0},
				  {{.msg_iov = &iov[1], .msg_iovlen = 1}, 0}};
	int ends[2];

	make_sockets(ends);
	for (int i = 0; i < 2; i++) {
		msgs[i].msg_hdr.msg_control = control[i].bytes;
		msgs[i].msg_hdr.msg_controllen = sizeof(control[i].bytes);
		send_two(ends[1]);
	}
	CALL(the.recvmmsg(ends[0], msgs, 2, 0, NULL));
	tell_message(&msgs[0].msg_hdr);
	tell_message(&msgs[1].msg_hdr);
	CALL(the.recvmmsg(ends[0], msgs, 2, 0, NULL));
	CALL(the.recvmmsg(-1, msgs, 2, 0, NULL));
}

CASE(pidfd_getfd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int fd = own_file(O_RDONLY);

	tell_and_close(CALL(the.pidfd_getfd(pidfd, fd, 0)));
	CALL(the.pidfd_getfd(pidfd, 999, 0));
	CALL(the.pidfd_getfd(pidfd, fd, 1));
	CALL(the.pidfd_getfd(-1, fd, 0));
}

/* ---- asynchronously ---- */

static void reads_aside(int with(struct aiocb *request))
{
	char buf[64];
	struct aiocb request = {
		.aio_fildes = own_file(O_RDONLY), .aio_buf = buf, .aio_nbytes = 9, .aio_offset = 4};
	const struct aiocb *list[] = {&request};

	CALL(with(&request));
	while (aio_error(&request) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	CALL(aio_return(&request));
	tell_bytes(buf, 9);
	request.aio_reqprio = -1;
	CALL(with(&request));
}

CASE(aio_read)
{
	reads_aside(the.aio_read);
}

static int by_aio_read64(struct aiocb *request)
{
	return the.aio_read64((struct aiocb64 *)request);
}

CASE(aio_read64)
{
	reads_aside(by_aio_read64);
}

static int by_lio_listio(struct aiocb *request)
{
	struct aiocb *const list[] = {request, NULL};

	request->aio_lio_opcode = LIO_READ;
	return the.lio_listio(LIO_WAIT, list, 2, NULL);
}

CASE(lio_listio)
{
	reads_aside(by_lio_listio);
	CALL(the.lio_listio(77, NULL, 0, NULL));
}

static int by_lio_listio64(struct aiocb *request)
{
	struct aiocb64 *const list[] = {(struct aiocb64 *)request, NULL};

	request->aio_lio_opcode = LIO_READ;
	return the.lio_listio64(LIO_WAIT, list, 2, NULL);
}

CASE(lio_listio64)
{
	reads_aside(by_lio_listio64);
}

/* ---- syscall ---- */

CASE(syscall)
{
	static const long bad[] = {SYS_close,	  SYS_read,   SYS_pread64, SYS_fstat,
				   SYS_dup,	  SYS_fchdir, SYS_readv,   SYS_getdents64,
				   SYS_ftruncate, SYS_write,  SYS_lseek};
	char buf[64];
	int fd;

	fd = (int)CALL(the.syscall(SYS_openat, AT_FDCWD, "file", O_RDWR, 0));
	CALL(the.syscall(SYS_read, fd, buf, 9L));
	tell_bytes(buf, 9);
	CALL(the.syscall(SYS_pread64, fd, buf, 9L, 4L));
	CALL(the.syscall(SYS_read, fd, BAD, 9L));
	CALL(the.syscall(SYS_lseek, fd, 0L, SEEK_CUR));
	CALL(the.syscall(SYS_dup, fd));
	CALL(the.syscall(SYS_fcntl, fd, F_GETFL));
	CALL(the.syscall(SYS_ftruncate, fd, 4L));
	CALL(the.syscall(SYS_openat, AT_FDCWD, BAD, O_RDONLY, 0));
	CALL(the.syscall(SYS_openat, AT_FDCWD, "none", O_RDONLY, 0));
	CALL(the.syscall(SYS_readlinkat, AT_FDCWD, "link", buf, sizeof(buf)));
	CALL(the.syscall(SYS_faccessat, AT_FDCWD, "file", R_OK));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CALL(the.syscall(bad[i], -1L, buf, 8L, 0L));
	CALL(the.syscall(SYS_munmap, 1L, 1L));
	CALL(the.syscall(SYS_madvise, 4096L, 4096L, 4L));
	CALL(the.syscall(100000));
	CALL(the.syscall(-1));
	tell_and_close(fd);
}
