/* SPDX-License-Identifier: MIT */
#include "trap/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/sys.h"
#include "trap/entry.h"
#include "trap/floor.h"
#include "trap/image.h"
#include "trap/inject.h"

extern const struct image_head image_head __attribute__((visibility("hidden")));

/* ---- fork ---- */

#define CLONE_STACK 1 /* argument */

long process_fork(struct slot *slot, long nr, const long a[6])
{
	long stack = nr == SYS_clone ? a[CLONE_STACK] : 0, ret;

	if (floor_fork.before)
		floor_fork.before();
	ret = sys_call(nr, a[0], 0, a[2], a[3], a[4], 0);
	if (ret) {
		if (floor_fork.in_parent)
			floor_fork.in_parent();
		return ret;
	}
	/* Here the child goes on, on its copy of this stack. */
	slot_only(slot);
	if (floor_fork.in_child)
		floor_fork.in_child();
	if (stack)
		slot->program.sp = (unsigned long)stack;
	return 0;
}

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

/* Of the helper, on the stack of its slot. */
struct helping {
	struct inject inject;
	int start; /* read end: the parent has said who may attach */
};

static void help(const struct helping *helping)
{
	struct inject inject = helping->inject;
	char byte;

	/* Nothing that the program has open stays open because of its helper. */
	sys_read(helping->start, &byte, 1);
	if (inject.ready > 3)
		sys_dup3(inject.ready, 3, 0);
	inject.ready = 3;
	sys_call(SYS_close_range, 4, ~0U, 0, 0, 0, 0);
	for (int fd = 0; fd < 3; fd++)
		sys_close(fd);
	inject_parent(&inject);
}

/* It shares the memory, which ends with it, and nothing else. A negative errno, or its id. */
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

static long exec_with(struct slot *slot, long nr, const long a[6], uint64_t mask)
{
	struct helping helping = {.inject = {&image_head, kept_data, true, -1}};
	const uint64_t all = ~UINT64_C(0);
	int ready[2], start[2], ret;
	pid_t helper;
	long result;

	ret = (int)sys_call(SYS_pipe2, (long)ready, O_CLOEXEC, 0, 0, 0, 0);
	if (ret)
		return ret;
	ret = (int)sys_call(SYS_pipe2, (long)start, O_CLOEXEC, 0, 0, 0, 0);
	helping.inject.ready = ready[1];
	helping.start = start[0];
	helper = ret ? ret : start_helper(slot, &helping);
	sys_close(ready[1]);
	if (helper > 0) {
		sys_call(SYS_prctl, PR_SET_PTRACER, helper, 0, 0, 0, 0);
		sys_write(start[1], "", 1);
		ret = attached(ready[0]);
	}
	sys_close(ready[0]);
	if (start[0] >= 0 && helper != ret) {
		sys_close(start[0]);
		sys_close(start[1]);
	}
	if (helper < 0)
		return helper;
	if (ret) {
		end_helper(helper);
		log_error("a program is not started: it cannot be served there, for nothing can "
			  "attach to it (%e)", ret);
		return ret;
	}
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
	result = sys_call(nr, a[0], a[1], a[2], a[3], a[4], 0);
	sys_sigprocmask(SIG_SETMASK, &all, NULL);
	end_helper(helper);
	return result;
}

/*
 * The slot is the helper's, and its stack. Where the program does not end here, as behind
 * vfork(), the slot goes back when the helper ends.
 */
long process_exec(long nr, const long a[6], uint64_t mask)
{
	struct slot *slot = slot_get();
	long ret;

	if (!slot)
		return -ENOMEM;
	ret = exec_with(slot, nr, a, mask);
	slot->busy = 0;
	return ret;
}
