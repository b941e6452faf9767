/* SPDX-License-Identifier: MIT */
/* The next functions (preload/next.h) in the image: they are system calls. */
#include "preload/next.h"

#include <stdarg.h>

#include "base/sys.h"
#include "trap/entry.h"
#include "trap/slot.h"
#include "uapi/syscall.h"

/*
 * True for a call that can wait for something outside of the kernel. It is made with the
 * program's signal mask. A call that reads at a position, as pread(), never waits.
 */
static bool may_sleep(long nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_write:
	case SYS_readv:
	case SYS_writev:
	case SYS_ioctl:
	case SYS_fcntl:
#ifdef SYS_open
	case SYS_open:
	case SYS_creat:
#endif
	case SYS_openat:
	case SYS_openat2:
	case SYS_wait4:
	case SYS_waitid:
		return true;
	default:
		return false;
	}
}

static long call_kernel(long nr, ...)
{
	struct slot *slot = slot_here();
	long a[6], ret;
	va_list args;

	va_start(args, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (may_sleep(nr)) {
		slot->call[0] = nr;
		for (int i = 0; i < 6; i++)
			slot->call[i + 1] = a[i];
		slot->sleeper = (int)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
		ret = program_call(slot);
		slot->sleeper = 0;
	} else {
		ret = sys_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	return (unsigned long)ret >= -4095UL ? result(ret) : ret;
}

static int stat_descriptor(int fd, struct stat *st)
{
	return (int)result(sys_fstat(fd, st));
}

/* Calls by number use no other members. */
struct next next = {.syscall = call_kernel, .fstat = stat_descriptor};
