/* SPDX-License-Identifier: MIT */
#include "trap/pass.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "door/fd.h"
#include "door/memory.h"
#include "preload/next.h"
#include "uapi/syscall.h"

#define FD   ((int)a[0])
#define ADDR ((void *)a[0])
#define LEN  ((size_t)a[1])

/* The conditions of map() in preload/memory.c and of slow_mmap(). */
static bool maps_its_own(const long a[6])
{
	int flags = (int)a[3];

	if (flags & MAP_FIXED && memory_told(ADDR, LEN))
		return false;
	return flags & MAP_ANONYMOUS || !is_ours((int)a[4]);
}

static bool remaps_its_own(const long a[6])
{
	return !memory_told(ADDR, LEN) &&
	       (!(a[3] & MREMAP_FIXED) || !memory_told((void *)a[4], (size_t)a[2]));
}

/* A duplicate must replace a stale entry of its number. */
static bool duplicates(int cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC;
}

bool pass_is_programs(long nr, const long a[6])
{
	switch (nr) {
	case SYS_read:
	case SYS_pread64:
	case SYS_write:
	case SYS_pwrite64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_fstat:
	case SYS_close:
		return !is_ours(FD);
	case SYS_ioctl:
		return !fd_may_ioctl(FD, (unsigned int)a[1]);
	case SYS_fcntl:
		return !is_ours(FD) && !duplicates((int)a[1]);
	case SYS_mmap:
		return maps_its_own(a);
	case SYS_munmap:
		return !memory_told(ADDR, LEN);
	case SYS_mremap:
		return remaps_its_own(a);
	case SYS_madvise:
		return a[2] != MADV_REMOVE && !memory_told(ADDR, LEN);
	default:
		return false;
	}
}
