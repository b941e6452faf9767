/* SPDX-License-Identifier: MIT */
#include "base/limit.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/lock.h"
#include "base/sys.h"

/*
 * Added to the soft limit. It also exceeds the numbers in use after the program lowered
 * its limit.
 */
#define MORE 65536

/* Another thread can fork at any moment, so users is set after the rest. */
static _Atomic(unsigned int) users;
static struct rlimit own, raised;

static int set_limit(const struct rlimit *limit, struct rlimit *before)
{
	return (int)sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)limit, (long)before, 0, 0);
}

static bool raise_to(rlim_t soft, rlim_t hard)
{
	raised = (struct rlimit){soft, hard};
	users = 1;
	if (soft > own.rlim_cur && !set_limit(&raised, NULL))
		return true;
	users = 0;
	return false;
}

bool limit_raise(void)
{
	rlim_t soft;

	lock_assert_held();
	if (users) {
		users++;
		return true;
	}
	if (set_limit(NULL, &own))
		return false;
	soft = own.rlim_cur + MORE;
	return raise_to(soft, soft > own.rlim_max ? soft : own.rlim_max) ||
	       raise_to(own.rlim_max, own.rlim_max);
}

/* Keeps a limit that the program has set meanwhile. */
static void restore(void)
{
	struct rlimit before;

	if (!set_limit(&own, &before) &&
	    (before.rlim_cur != raised.rlim_cur || before.rlim_max != raised.rlim_max))
		set_limit(&before, NULL);
}

void limit_restore(void)
{
	lock_assert_held();
	if (!--users)
		restore();
}

void limit_in_child(void)
{
	if (users)
		restore();
	users = 0;
}

long limit_call(long nr, long a, long b, long c, long d)
{
	long ret = sys_call(nr, a, b, c, d, 0, 0);

	if (ret != -EMFILE || !limit_raise())
		return ret;
	ret = sys_call(nr, a, b, c, d, 0, 0);
	limit_restore();
	return ret;
}

int limit_openat(int dirfd, const char *path, int flags)
{
	return (int)limit_call(SYS_openat, dirfd, (long)path, flags, 0);
}

int limit_open(const char *path, int flags)
{
	return limit_openat(AT_FDCWD, path, flags);
}

int limit_dup(int fd)
{
	return (int)limit_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0, 0);
}
