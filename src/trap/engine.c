/* SPDX-License-Identifier: MIT */
/* Answers a trapped call by the functions that src/preload calls for a symbol. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdtab.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/rights.h"
#include "base/sys.h"
#include "door/fd.h"
#include "door/start.h"
#include "pin/deferred.h"
#include "pin/store.h"
#include "preload/slow.h"
#include "trap/arch.h"
#include "trap/clone.h"
#include "trap/entry.h"
#include "trap/fast.h"
#include "trap/filter.h"
#include "trap/floor.h"
#include "trap/image.h"
#include "trap/made.h"
#include "trap/pass.h"
#include "trap/pending.h"
#include "trap/process.h"
#include "trap/rings.h"
#include "trap/sight.h"
#include "trap/signal.h"
#include "uapi/syscall.h"

extern struct image_boot image_boot __attribute__((visibility("hidden")));
struct image_boot image_boot;

/* ---- what a call makes necessary ---- */

/*
 * The program has the new descriptor fd. Returns fd, or a negative errno: the library cannot
 * serve it and has closed it.
 */
static long look_at(int fd)
{
	enum fd_kind kind = fdtab_kind(fd);
	int closed, ret = 0;

	if (kind == FD_NOT_OURS)
		return fd;
	if (kind == FD_PAGEMAP)
		ret = rings_admit_pagemap();
	if (!ret)
		ret = kind == FD_HIDDEN ? sight_hidden((unsigned int)fd)
					: sight_descriptor((unsigned int)fd, kind != FD_PAGEMAP);
	if (!ret)
		return fd;
	if (!fd_close(fd, &closed))
		sys_close(fd);
	return ret;
}

/* look_at() for descriptors that no call returned: inherited or received ones. */
static int see_descriptors(void)
{
	long ret = 0;

	for (unsigned int fd = 0; fd < FDTAB_LOW; fd++) {
		long seen = 0;

		/* A higher number that shares the place may be ours. */
		if (fdtab_kind((int)fd) != FD_NOT_OURS)
			seen = look_at((int)fd);
		else if (fdtab_place((int)fd))
			seen = sight_descriptor(fd, true);
		ret = seen < 0 ? seen : ret;
	}
	return (int)ret;
}

static bool may_return_descriptor(long nr, unsigned int cmd)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
	case SYS_creat:
	case SYS_dup2:
#endif
	case SYS_openat:
	case SYS_openat2:
	case SYS_dup:
	case SYS_dup3:
	case SYS_pidfd_getfd:
		return true;
	case SYS_fcntl:
		return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC;
	case SYS_ioctl:
		return cmd == VFIO_GROUP_GET_DEVICE_FD;
	default:
		return false;
	}
}

long engine_look_after(long nr, const long a[6], long ret)
{
	int error = 0;

	if (ret < 0)
		return ret;
	switch (nr) {
	case SYS_recvmsg:
	case SYS_recvmmsg:
		see_descriptors();
		return ret;
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
		if (fdtab_kind((int)a[0]) == FD_PAGEMAP)
			error = sight_memory();
		return error ? error : ret;
	default:
		return may_return_descriptor(nr, (unsigned int)a[1]) ? look_at((int)ret) : ret;
	}
}

/* ---- calls ---- */

/* Sets the program break. Returns what libc's brk() returns. */
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
		return clone_fork(slot, nr, a);
	case SYS_clone3:
		return clone_3(slot, a);
	case SYS_brk:
		return change_break(a[0]);
	case SYS_io_uring_setup:
		return rings_setup(a);
	case SYS_setuid:
	case SYS_setreuid:
	case SYS_setresuid:
	case SYS_capset:
		sight_all();
		return sys_call(nr, a[0], a[1], a[2], 0, 0, 0);
	default:
		ret = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		return engine_look_after(nr, a, ret == -1 ? -errno : ret);
	}
}

void engine_run(struct slot *slot)
{
	const long nr = slot->call[0];
	long a[6];

	memcpy(a, slot->call + 1, sizeof(a));
	slot->program.rax = (unsigned long)answer(slot, nr, a);
	program_resume(slot);
}

/* ---- the handler ---- */

/* Runs with all signals blocked, on the program's stack, which may be small. */
static long answer_signal(long nr, const long a[6], ucontext_t *frame)
{
	uint64_t mask;
	long ret;

	memcpy(&mask, &frame->uc_sigmask, sizeof(mask));
	if (nr == SYS_rt_sigaction)
		ret = signal_action(a);
	else if (nr == SYS_rt_sigpending)
		ret = signal_pending(a);
	else if (nr == SYS_rt_sigprocmask)
		ret = signal_mask(a, &mask);
	else
		ret = process_exec(nr, a, mask);
	memcpy(&frame->uc_sigmask, &mask, sizeof(mask));
	return ret;
}

/* Lets the call go on with a slot. */
static void answer_later(const long call[7], ucontext_t *frame)
{
	struct slot *slot = slot_get();

	if (!slot) {
		arch_set_result(frame, -ENOMEM);
		return;
	}
	arch_save(&slot->program, frame);
	memcpy(slot->call, call, 7 * sizeof(call[0]));
	memcpy(&slot->mask, &frame->uc_sigmask, sizeof(slot->mask));
	memset(&frame->uc_sigmask, 0xff, sizeof(slot->mask));
	arch_redirect(frame, engine_entry, slot, (char *)slot);
}

/* The call goes on at function() with rax, mostly without a return to the kernel. */
static int pass(ucontext_t *frame, void (*function)(void), long rax)
{
	bool leaves;

	arch_pass(frame, function, rax, &leaves);
	if (!leaves)
		return TRAP_RETURNS;
	return signal_handler_blocks() ? TRAP_UNBLOCKS : TRAP_UNBLOCKED;
}

/* With all signals blocked. */
static int answer_blocked(long call[7], ucontext_t *frame)
{
	const long *a = call + 1;

	if (signal_has_mask(call[0]))
		return signal_pass_mask(call[0], a, frame) ? TRAP_UNBLOCKS : TRAP_RETURNS;
	switch (call[0]) {
	case SYS_rt_sigtimedwait:
		return signal_wait(a, frame) ? TRAP_UNBLOCKS : TRAP_RETURNS;
	case SYS_rt_sigaction:
	case SYS_rt_sigpending:
	case SYS_rt_sigprocmask:
	case SYS_execve:
	case SYS_execveat:
		arch_set_result(frame, answer_signal(call[0], a, frame));
		return TRAP_RETURNS;
	default:
		answer_later(call, frame);
		return TRAP_RETURNS;
	}
}

/* Also if they seem to be: another thread can have called sigaltstack() since the trap. */
static void block_all(void)
{
	const uint64_t all = ~UINT64_C(0);

	sys_sigprocmask(SIG_SETMASK, &all, NULL);
}

/*
 * The calls that pass() answers hold nothing here: another signal's handler may run meanwhile, and
 * never return.
 */
int trapped(int sig, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;
	long call[7] = {info->si_syscall}, ret;
	const long *a = call + 1;

	if (info->si_code != SYS_SECCOMP || info->si_errno != FILTER_DATA) {
		block_all();
		signal_pass_on(sig, info, frame);
		return TRAP_RETURNS;
	}
	arch_arguments(frame, call + 1);
	if (pass_is_programs(call[0], a))
		return pass(frame, program_pass, call[0]);
	if (made_goes_first(call[0], a))
		return pass(frame, program_make, call[0]);
	if (fast_answer(call[0], a, &ret))
		return pass(frame, program_passed, ret);
	if (call[0] == SYS_sigaltstack) {
		signal_use_alternate_stack();
		return pass(frame, program_pass, call[0]);
	}
	block_all();
	return answer_blocked(call, frame);
}

/* ---- the start ---- */

static char **find_environment(const unsigned long *stack)
{
	return (char **)(stack + 1 + stack[0] + 1);
}

static bool is_library(const char *name, size_t len)
{
	static const char library[] = "libnoiommu-shim.so";
	const size_t most = len < sizeof(library) - 1 ? 0 : len - (sizeof(library) - 1);

	for (size_t i = 0; i <= most && len >= sizeof(library) - 1; i++)
		if (!strncmp(name + i, library, sizeof(library) - 1))
			return true;
	return false;
}

/* Removes the library from a list of preloads: with traps it would serve the program twice. */
static void drop_library(char *list)
{
	char *to = list, *at = list;

	while (*at) {
		size_t len = strcspn(at, ": "), all = len + (at[len] != '\0');

		if (!is_library(at, len)) {
			memmove(to, at, all);
			to += all;
		}
		at += all;
	}
	*to = '\0';
}

static void drop_preload(char **envp)
{
	static const char variable[] = "LD_PRELOAD=";

	for (; *envp; envp++)
		if (!strncmp(*envp, variable, sizeof(variable) - 1))
			drop_library(*envp + sizeof(variable) - 1);
}

void image_start(void)
{
	int kept = process_keep_data();
	struct slot *slot = slot_here();
	char **envp = find_environment((const unsigned long *)image_boot.program.sp), **end = envp;

	slot->busy = 1;
	slot->program = image_boot.program;
	sys_sigprocmask(SIG_SETMASK, NULL, &slot->mask);
	signal_set_blocked(image_boot.origin.blocked || slot->mask & SIGNAL_BIT(SIGSYS));
	slot->mask &= ~SIGNAL_BIT(SIGSYS);
	while (*end)
		end++;
	floor_set_auxv((const unsigned long *)(end + 1));
	signal_set_handler(image_boot.origin.ignored);
	drop_preload(envp);
	rights_own_filters = (unsigned long)image_boot.origin.filters;
	start_init(envp);
	if (!kept)
		sys_call(SYS_wait4, image_boot.origin.helper, 0, __WALL, 0, 0, 0);
	if (kept || (!image_boot.origin.filters && sight_first()) || see_descriptors()) {
		log_error("the program is not started: it cannot be served");
		sys_call(SYS_exit_group, 2, 0, 0, 0, 0, 0);
	}
	program_resume(slot);
}
