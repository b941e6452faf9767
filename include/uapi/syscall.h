/* SPDX-License-Identifier: MIT */
/* System calls that older headers lack; the numbers are the same on every machine. */
#ifndef UAPI_SYSCALL_H
#define UAPI_SYSCALL_H

#include <stdint.h>
#include <sys/syscall.h>

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

/* flags of close_range() */
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* struct open_how of <linux/openat2.h>, as it was first */
struct uapi_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

#endif
