/* SPDX-License-Identifier: MIT */
/* What the registration of buffers needs from <linux/io_uring.h>; older headers lack it. */
#ifndef UAPI_IO_URING_H
#define UAPI_IO_URING_H

#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_io_uring_register
#define SYS_io_uring_register 427
#endif

#define UAPI_REGISTER_BUFFERS	     0
#define UAPI_UNREGISTER_BUFFERS	     1
#define UAPI_REGISTER_FILES	     2
#define UAPI_UNREGISTER_FILES	     3
#define UAPI_REGISTER_BUFFERS2	     15 /* Linux 5.13 */
#define UAPI_REGISTER_BUFFERS_UPDATE 16 /* Linux 5.13 */

struct uapi_io_uring_params {
	uint64_t all[15];
};

struct uapi_io_uring_register2 {
	uint32_t nr;
	uint32_t flags;
	uint64_t reserved;
	uint64_t data;
	uint64_t tags;
};

struct uapi_io_uring_update2 {
	uint32_t offset;
	uint32_t reserved;
	uint64_t data;
	uint64_t tags;
	uint32_t nr;
	uint32_t reserved2;
};

#endif
