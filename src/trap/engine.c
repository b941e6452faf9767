/* SPDX-License-Identifier: MIT */
/* A call was trapped: it is handed to the same doors as the preload's. */
#include <errno.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fdtab.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/sys.h"
#include "door/start.h"
#include "pin/store.h"
#include "preload/slow.h"
#include "trap/arch.h"
#include "trap/calls.h"
#include "trap/entry.h"
#include "trap/floor.h"
#include "trap/image.h"
#include "trap/process.h"
#include "trap/signal.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

extern const char image_text_end[] __attribute__((visibility("hidden")));
extern struct image_boot image_boot __attribute__((visibility("hidden")));
struct image_boot image_boot;

/* ---- filters, of which there are more as there is more to see ---- */

static _Atomic(unsigned int) first_of_ours = INT_MAX;
static _Atomic(bool) sees_memory;

static int add_filter(const struct filter_call *calls, size_t count)
{
	static struct sock_filter program[FILTER_SIZE];
	const struct filter_range range = {IMAGE_BASE, (uintptr_t)image_text_end};
	struct lock_saved saved = lock_enter();
	unsigned int len = filter_build(program, calls, count, range);
	int ret = len ? filter_install(program, len) : -E2BIG;

	lock_leave(saved);
	if (ret)
		log_error("calls cannot be trapped (%e)", ret);
	return ret;
}

static void see_from(unsigned int fd)
{
	struct filter_call calls[32];
	unsigned int seen = first_of_ours;

	if (fd >= seen || !atomic_compare_exchange_strong(&first_of_ours, &seen, fd))
		return;
	memcpy(calls, calls_io, calls_io_count * sizeof(calls[0]));
	for (size_t i = 0; i < calls_io_count; i++)
		if (calls[i].test == FILTER_FD_FROM)
			calls[i].value = fd;
	add_filter(calls, calls_io_count);
}

static void see_all(void)
{
	for (unsigned int fd = 0; fd < FDTAB_LOW && fd < first_of_ours; fd++)
		if (fdtab_place((int)fd))
			see_from(fd);
}

static void see_memory(void)
{
	if (!atomic_exchange(&sees_memory, true))
		add_filter(calls_memory, calls_memory_count);
}

/* What the call may have brought about. */
static void look_after(long nr, const long a[6], long ret)
{
	switch (nr) {
	case SYS_recvmsg:
	case SYS_recvmmsg:
		see_all();
		break;
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
		if (fdtab_kind((int)a[0]) == FD_PAGEMAP)
			see_memory();
		break;
	default:
		if (ret >= 0 && ret < INT_MAX && is_ours((int)ret))
			see_from((unsigned int)ret);
	}
}

/* ---- calls ---- */

/* The break as libc's brk() has it. */
static int set_break(void *end)
{
	return sys_call(SYS_brk, (long)end, 0, 0, 0, 0, 0) == (long)end ? 0 : -1;
}

static long change_break(long end)
{
	long old = sys_call(SYS_brk, 0, 0, 0, 0, 0, 0);

	slow_brk((void *)end, (char *)old, set_break);
	return sys_call(SYS_brk, 0, 0, 0, 0, 0, 0);
}

long syscall(long nr, ...);

static long answer(struct slot *slot, long nr, const long a[6])
{
	long ret;

	switch (nr) {
#ifdef SYS_fork
	case SYS_fork:
#endif
	case SYS_clone:
		return process_fork(slot, nr, a);
	case SYS_brk:
		return change_break(a[0]);
	default:
		ret = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		ret = ret == -1 ? -errno : ret;
		look_after(nr, a, ret);
		return ret;
	}
}

void engine_run(struct slot *slot)
{
	long a[6];

	arch_arguments(&slot->program, a);
	slot->program.rax = (unsigned long)answer(slot, (long)slot->program.rax, a);
	program_resume(slot);
}

/* ---- the handler ---- */

/* All signals are blocked; the stack is the program's, and may be small. */
static bool answer_at_once(long nr, ucontext_t *frame)
{
	struct registers program;
	uint64_t mask;
	long a[6];

	if (nr != SYS_rt_sigaction && nr != SYS_rt_sigprocmask && nr != SYS_execve &&
	    nr != SYS_execveat)
		return false;
	arch_save(&program, frame);
	arch_arguments(&program, a);
	memcpy(&mask, &frame->uc_sigmask, sizeof(mask));
	if (nr == SYS_rt_sigaction)
		arch_set_result(frame, signal_action(a));
	else if (nr == SYS_rt_sigprocmask)
		arch_set_result(frame, signal_mask(a, &mask));
	else
		arch_set_result(frame, process_exec(nr, a, mask));
	memcpy(&frame->uc_sigmask, &mask, sizeof(mask));
	return true;
}

static void trapped(int sig, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	struct slot *slot;

	if (info->si_code != SYS_SECCOMP)
		return signal_pass_on(sig, info, frame);
	if (answer_at_once(info->si_syscall, frame))
		return;
	slot = slot_get();
	if (!slot) {
		arch_set_result(frame, -ENOMEM);
		return;
	}
	arch_save(&slot->program, frame);
	slot->program.rax = (unsigned long)info->si_syscall;
	memcpy(&slot->mask, &frame->uc_sigmask, sizeof(slot->mask));
	memset(&frame->uc_sigmask, 0xff, sizeof(slot->mask));
	arch_redirect(frame, engine_entry, slot, (char *)slot);
}

/* ---- the start ---- */

static char **find_environment(const unsigned long *stack)
{
	return (char **)(stack + 1 + stack[0] + 1);
}

void image_start(void)
{
	int kept = process_keep_data();
	struct slot *slot = slot_here();
	char **envp = find_environment((const unsigned long *)image_boot.program.sp), **end = envp;

	slot->busy = 1;
	slot->program = image_boot.program;
	sys_sigprocmask(SIG_SETMASK, NULL, &slot->mask);
	slot->mask &= ~SIGNAL_BIT(SIGSYS);
	while (*end)
		end++;
	floor_set_auxv((const unsigned long *)(end + 1));
	signal_set_handler(trapped);
	start_init(envp);
	if (!kept)
		sys_call(SYS_wait4, image_boot.helper, 0, __WALL, 0, 0, 0);
	if (kept || (!image_boot.filtered && add_filter(calls_first, calls_first_count))) {
		log_error("the program is not started: it cannot be served");
		sys_call(SYS_exit_group, 2, 0, 0, 0, 0, 0);
	}
	see_all();
	program_resume(slot);
}
