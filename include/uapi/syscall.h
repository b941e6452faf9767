/* SPDX-License-Identifier: MIT */
/* System calls that older headers lack. Numbers from 424 on are the same on every architecture. */
#ifndef UAPI_SYSCALL_H
#define UAPI_SYSCALL_H

#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_statx
#ifdef __x86_64__
#define SYS_statx 332
#else
#define SYS_statx 291
#endif
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* flags of close_range() */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* a flag of pwritev2() */
#define UAPI_RWF_NOWAIT 0x8

/* advice for madvise(), from Linux 5.14 on */
#define UAPI_MADV_POPULATE_WRITE 23

/* struct statx of <linux/stat.h>, which conflicts with libc's own, and its masks */
#define UAPI_AT_STATX_DONT_SYNC 0x4000
#define UAPI_STATX_TYPE		0x1U
#define UAPI_STATX_INO		0x100U
#define UAPI_STATX_BTIME	0x800U

struct uapi_statx_timestamp {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct uapi_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t spare0;
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct uapi_statx_timestamp atime;
	struct uapi_statx_timestamp btime;
	struct uapi_statx_timestamp ctime;
	struct uapi_statx_timestamp mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t spare[14];
};

/* the first version of struct open_how of <linux/openat2.h> */
struct uapi_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

#endif
