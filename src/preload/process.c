/* SPDX-License-Identifier: MIT */
/* The end of this process, and of children that it waits for. */
#include "door/end.h"
#include "preload/next.h"
#include "uapi/syscall.h"

static pid_t waited(pid_t pid)
{
	if (pid > 0)
		end_child();
	return pid;
}

/* With WNOHANG there may be no child. */
static int waited_for_id(int ret, const siginfo_t *info)
{
	if (!ret && (!info || info->si_pid))
		end_child();
	return ret;
}

void _exit(int status)
{
	end_process();
	NEXT(_exit)(status);
	__builtin_unreachable();
}

void _Exit(int status)
{
	end_process();
	NEXT(_Exit)(status);
	__builtin_unreachable();
}

pid_t wait(int *status)
{
	return waited(NEXT(wait)(status));
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	return waited(NEXT(waitpid)(pid, status, options));
}

pid_t wait3(int *status, int options, struct rusage *usage)
{
	return waited(NEXT(wait3)(status, options, usage));
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	return waited(NEXT(wait4)(pid, status, options, usage));
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	return waited_for_id(NEXT(waitid)(type, id, info, options), info);
}

bool process_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
	case SYS_exit_group:
		end_process();
		*ret = BY_NUMBER(nr, a);
		return true;
	case SYS_wait4:
		*ret = waited((pid_t)BY_NUMBER(nr, a));
		return true;
	case SYS_waitid:
		*ret = waited_for_id((int)BY_NUMBER(nr, a), (const siginfo_t *)a[2]);
		return true;
	default:
		return false;
	}
}
