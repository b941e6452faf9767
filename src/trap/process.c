/* SPDX-License-Identifier: MIT */
#include "trap/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rights.h"
#include "base/sys.h"
#include "trap/entry.h"
#include "trap/floor.h"
#include "trap/image.h"
#include "trap/inject.h"
#include "trap/pending.h"
#include "trap/signal.h"

extern const struct image_head image_head __attribute__((visibility("hidden")));

/* ---- exec ---- */

static void *kept_data;

int process_keep_data(void)
{
	void *memory = sys_memory(image_head.data_size);

	if (sys_is_error(memory))
		return (int)(intptr_t)memory;
	memcpy(memory, (const char *)&image_head + image_head.text_size, image_head.data_size);
	kept_data = memory;
	return 0;
}

/* What the helper needs. It takes a copy to the stack of its slot. */
struct helping {
	struct inject inject;
	struct inject_target target;
	int start; /* read end of a pipe; the parent writes once the helper may attach */
};

static void help(const struct helping *helping)
{
	struct helping mine;
	char byte;
	int ret;

	if (sys_read(helping->start, &byte, 1) != 1)
		return;
	/* After exec() that stack can be gone, or in use by the parent of a vfork() child. */
	mine = *helping;
	/* The helper keeps none of the program's files open but standard error, for the log. */
	if (mine.inject.ready != 3 && sys_dup3(mine.inject.ready, 3, 0) != 3)
		return;
	mine.inject.ready = 3;
	sys_call(SYS_close_range, 4, ~0U, 0, 0, 0, 0);
	for (int fd = 0; fd < STDERR_FILENO; fd++)
		sys_close(fd);
	ret = inject(&mine.inject, &mine.target);
	if (ret)
		log_error("a program is killed before it starts: it cannot be served (%e)", ret);
}

/* The helper shares the memory only, which exists until it ends. Its pid or a negative errno. */
static pid_t start_helper(struct slot *slot, struct helping *helping)
{
	return (pid_t)helper_clone(slot, (void (*)(const void *))help, helping, CLONE_VM);
}

static int attached(int from)
{
	int said;

	return sys_read(from, &said, sizeof(said)) == sizeof(said) ? said : -EPERM;
}

static void end_helper(pid_t helper)
{
	int ret;

	sys_call(SYS_kill, helper, SIGKILL, 0, 0, 0, 0);
	do
		ret = (int)sys_call(SYS_wait4, helper, 0, __WALL, 0, 0, 0);
	while (ret == -EINTR);
}

struct ends {
	int read, write;
};

static int make_pipe(struct ends *ends)
{
	return (int)sys_call(SYS_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0, 0);
}

static void close_pipe(const struct ends *ends)
{
	sys_close(ends->read);
	sys_close(ends->write);
}

/* Starts a helper and waits until it has attached. Returns its pid or a negative errno. */
static pid_t get_helper(struct slot *slot, struct helping *helping, struct ends ready,
			struct ends start)
{
	pid_t helper;
	int ret;

	helping->inject.ready = ready.write;
	helping->start = start.read;
	helper = start_helper(slot, helping);
	sys_close(ready.write);
	if (helper > 0) {
		helping->inject.origin.helper = helper;
		/* Yama lets a child attach only if PR_SET_PTRACER names it. */
		sys_call(SYS_prctl, PR_SET_PTRACER, helper, 0, 0, 0, 0);
		ret = sys_write(start.write, "", 1) == 1 ? attached(ready.read) : -EPERM;
		if (ret) {
			end_helper(helper);
			helper = ret;
		}
	}
	sys_close(ready.read);
	return helper;
}

/* get_helper() with the pipes that it needs. The helper copies *helping before it attaches. */
static pid_t call_helper(struct slot *slot, struct helping *helping)
{
	struct ends ready, start;
	pid_t helper = make_pipe(&ready);

	if (helper)
		return helper;
	helper = make_pipe(&start);
	if (helper) {
		close_pipe(&ready);
		return helper;
	}
	helper = get_helper(slot, helping, ready, start);
	close_pipe(&start);
	return helper;
}

static long exec_with(struct slot *slot, long nr, const long a[6], uint64_t mask)
{
	struct helping helping = {
		.inject = {&image_head,
			   kept_data,
			   {.filters = (int32_t)rights_own_filters,
			    .ignored = signal_is_ignored(),
			    .blocked = signal_is_blocked()},
			   -1},
		.target = {sys_getpid(), (pid_t)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0)},
	};
	const uint64_t all = ~UINT64_C(0);
	pid_t helper = call_helper(slot, &helping);
	long result;

	if (helper < 0) {
		log_error("a program is not started: it cannot be served there, for nothing can "
			  "attach to it (%e)",
			  helper);
		return helper;
	}
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
	result = sys_call(nr, a[0], a[1], a[2], a[3], a[4], 0);
	sys_sigprocmask(SIG_SETMASK, &all, NULL);
	end_helper(helper);
	return result;
}

/* ---- programs that cannot be served ---- */

static bool may_trace_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return !sys_call(SYS_capget, (long)&header, (long)data, 0, 0, 0, 0) &&
	       data[CAP_TO_INDEX(CAP_SYS_PTRACE)].effective & CAP_TO_MASK(CAP_SYS_PTRACE);
}

static bool gains_rights(int dirfd, const char *path, int flags)
{
	struct stat st;

	if (sys_call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) == 1 ||
	    sys_fstatat(dirfd, path, &st, flags))
		return false;
	if (st.st_mode & S_ISUID && st.st_uid != sys_call(SYS_geteuid, 0, 0, 0, 0, 0, 0))
		return true;
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    st.st_gid != sys_call(SYS_getegid, 0, 0, 0, 0, 0, 0))
		return true;
	return dirfd == AT_FDCWD &&
	       sys_call(SYS_getxattr, (long)path, (long)"security.capability", 0, 0, 0, 0) > 0;
}

/*
 * A traced program does not gain rights by its file, and the kernel does not let the helper
 * into one whose file may not be read. CAP_SYS_PTRACE lifts both. 0 or a negative errno.
 */
static int refuse(long nr, const long a[6])
{
	bool at = nr == SYS_execveat;
	const char *path = (const char *)a[at];
	int dirfd = at ? (int)a[0] : AT_FDCWD;

	if (may_trace_all())
		return 0;
	if (gains_rights(dirfd, path, at ? (int)a[4] & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) : 0)) {
		log_error("a program is not started: it is set-user-id or has file capabilities, "
			  "which takes CAP_SYS_PTRACE where system calls are trapped; start it "
			  "outside of noiommu-shim");
		return -EPERM;
	}
	if (!sys_call(SYS_faccessat, dirfd, (long)path, X_OK, 0, 0, 0) &&
	    sys_call(SYS_faccessat, dirfd, (long)path, R_OK, 0, 0, 0) == -EACCES) {
		log_error("a program is not started: it may not be read, which takes "
			  "CAP_SYS_PTRACE where system calls are trapped");
		return -EACCES;
	}
	return 0;
}

/*
 * The helper runs on the slot's stack. If exec() succeeds and the memory lives on, as in the
 * parent of a vfork() child, the helper frees the slot at its end.
 */
long process_exec(long nr, const long a[6], uint64_t mask)
{
	struct slot *slot;
	long ret = refuse(nr, a);

	if (ret)
		return ret;
	slot = slot_get();
	if (!slot)
		return -ENOMEM;
	ret = exec_with(slot, nr, a, mask);
	slot->busy = 0;
	return ret;
}
