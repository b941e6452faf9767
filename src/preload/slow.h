/* SPDX-License-Identifier: MIT */
/*
 * The slow paths: calls that may concern the library. slow_read() belongs to read(), and
 * so on. "Ours" is as in door/fd.h and door/name.h.
 *
 * Each takes the function that makes the call: the next one of the symbol, or an adapter
 * that makes the system call by number. It returns what that function would, with errno
 * set.
 *
 * None of these files defines a libc symbol or uses NEXT(). The unit tests link them,
 * with a fake kernel in the place of libc.
 */
#ifndef PRELOAD_SLOW_H
#define PRELOAD_SLOW_H

#include "door/fd.h"
#include "door/memory.h"
#include "door/name.h"
#include "preload/next.h"
#include "uapi/syscall.h"

#pragma GCC visibility push(hidden)

/* ---- slow-file.c ---- */

/*
 * open() returned fd, or -1 with errno. The kernel has read the path, so it is good.
 * before is errno before the call.
 */
int slow_opened(int dirfd, const char *path, int flags, int fd, int before);

/*
 * False: slow_opened() would do nothing. fd is the descriptor or a negative errno. Needs little
 * of the stack.
 */
bool slow_may_be_opened(const char *path, int fd);

int slow_open(const char *path, int flags, mode_t mode, __typeof__(open) *call);
int slow_openat(int dirfd, const char *path, int flags, mode_t mode, __typeof__(openat) *call);

/* Changes the flags of *how. */
int slow_openat2(int dirfd, const char *path, struct uapi_open_how *how, __typeof__(openat2) *call);

int slow_close(int fd, __typeof__(close) *call);

/* Closes first..last except for hidden descriptors. */
int slow_close_range(unsigned int first, unsigned int last, int flags,
		     __typeof__(close_range) *call);

/* newfd was duplicated from oldfd, and one of them is ours; -1: that failed. Returns newfd. */
int slow_duplicated(int oldfd, int newfd);

static inline int duplicated(int oldfd, int newfd)
{
	return fdtab_place(oldfd) | fdtab_place(newfd) ? slow_duplicated(oldfd, newfd) : newfd;
}

/* Before dup2() and dup3(), which replace newfd: a hidden descriptor there moves away. */
static inline void make_way(int newfd)
{
	if (fdtab_kind(newfd) == FD_HIDDEN)
		fd_make_way(newfd);
}

int slow_fcntl(int fd, int cmd, long arg, __typeof__(fcntl) *call);

/* ---- slow-io.c ---- */

int slow_ioctl(int fd, ioctl_request_t cmd, unsigned long arg, __typeof__(ioctl) *call);
ssize_t slow_read(int fd, void *buf, size_t len, __typeof__(read) *call);
ssize_t slow_pread(int fd, void *buf, size_t len, off_t pos, __typeof__(pread) *call);
ssize_t slow_write(int fd, const void *buf, size_t len, __typeof__(write) *call);
ssize_t slow_pwrite(int fd, const void *buf, size_t len, off_t pos, __typeof__(pwrite) *call);
ssize_t slow_readv(int fd, const struct iovec *iov, int count, __typeof__(readv) *call);
ssize_t slow_preadv(int fd, const struct iovec *iov, int count, off_t pos,
		    __typeof__(preadv) *call);
ssize_t slow_preadv2(int fd, const struct iovec *iov, int count, off_t pos, int flags,
		     __typeof__(preadv2) *call);
ssize_t slow_writev(int fd, const struct iovec *iov, int count, __typeof__(writev) *call);
ssize_t slow_pwritev(int fd, const struct iovec *iov, int count, off_t pos,
		     __typeof__(pwritev) *call);
ssize_t slow_pwritev2(int fd, const struct iovec *iov, int count, off_t pos, int flags,
		      __typeof__(pwritev2) *call);

/* recvmsg() returned len, perhaps with descriptors. Returns len. */
ssize_t slow_received(const struct msghdr *msg, ssize_t len);

/*
 * libc is about to read pagemap asynchronously, in a thread of its own: pins the pages
 * first. False, with errno, on failure.
 */
bool slow_pin_before(int fd, off_t pos, size_t len);

/* ---- slow-memory.c ---- */

void *slow_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t pos,
		__typeof__(mmap) *call);
int slow_munmap(void *addr, size_t len, __typeof__(munmap) *call);
void *slow_mremap(void *addr, size_t len, size_t new_len, int flags, void *to,
		  __typeof__(mremap) *call);
int slow_remap_file_pages(void *addr, size_t len, int prot, size_t page, int flags,
			  __typeof__(remap_file_pages) *call);
void *slow_shmat(int id, const void *addr, int flags, __typeof__(shmat) *call);
int slow_shmdt(const void *addr, __typeof__(shmdt) *call);
int slow_ftruncate(int fd, off_t len, __typeof__(ftruncate) *call);

int slow_madvise(void *addr, size_t len, int advice, __typeof__(madvise) *call);

/* The arguments of process_madvise(), which older libcs lack. */
typedef ssize_t process_madvise_call(int pidfd, const struct iovec *iov, size_t count, int advice,
				     unsigned int flags);
ssize_t slow_process_madvise(int pidfd, const struct iovec *iov, size_t count, int advice,
			     unsigned int flags, process_madvise_call *call);

int slow_fallocate(int fd, int mode, off_t pos, off_t len, __typeof__(fallocate) *call);
int slow_truncate(const char *path, off_t len, __typeof__(truncate) *call);

/* old is the current break. */
int slow_brk(void *end, char *old, __typeof__(brk) *call);
void *slow_sbrk(intptr_t more, char *old, __typeof__(sbrk) *call);

#pragma GCC visibility pop

#endif
