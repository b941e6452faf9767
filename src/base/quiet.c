/* SPDX-License-Identifier: MIT */
#include "base/quiet.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/sys.h"

#define BIT(sig) (UINT64_C(1) << ((sig)-1))

struct quiet quiet_begin(void)
{
	const uint64_t ours = BIT(SIGPIPE) | BIT(SIGXFSZ) | BIT(SIGTTOU);
	struct quiet quiet = {0, 0};

	sys_sigprocmask(SIG_BLOCK, &ours, &quiet.mask);
	sys_call(SYS_rt_sigpending, (long)&quiet.pending, sizeof(quiet.pending), 0, 0, 0, 0);
	return quiet;
}

/*
 * A write with this error has raised the signal for this thread. If the signal was
 * already pending it is the program's, and the two became one. While SIGTTOU is blocked
 * the kernel performs the write and raises nothing (drivers/tty/tty_jobctrl.c).
 */
static void take_back(int sig, uint64_t pending)
{
	const uint64_t set = BIT(sig);
	const struct timespec now = {0, 0};

	if (!(pending & set))
		sys_call(SYS_rt_sigtimedwait, (long)&set, 0, (long)&now, sizeof(set), 0, 0);
}

void quiet_end(struct quiet quiet, long ret)
{
	if (ret == -EPIPE)
		take_back(SIGPIPE, quiet.pending);
	else if (ret == -EFBIG)
		take_back(SIGXFSZ, quiet.pending);
	sys_sigprocmask(SIG_SETMASK, &quiet.mask, NULL);
}

ssize_t quiet_write(int fd, const void *buf, size_t len)
{
	struct quiet quiet = quiet_begin();
	ssize_t ret = sys_write(fd, buf, len);

	quiet_end(quiet, ret);
	return ret;
}
