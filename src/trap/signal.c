/* SPDX-License-Identifier: MIT */
#include "trap/signal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/process.h"
#include "base/sys.h"
#include "base/user.h"
#include "trap/arch.h"
#include "trap/entry.h"
#include "uapi/syscall.h"

#define SA_RESTORES 0x04000000

/*
 * The action that the program set for SIGSYS. own is of this process, guest of a vfork() child,
 * which has actions of its own in the same memory.
 */
static struct signal_action own, guest;
static pid_t guest_process;

static struct signal_action *wanted(void)
{
	pid_t process;

	if (!process_is_guest())
		return &own;
	process = sys_getpid();
	if (guest_process != process) {
		guest = own;
		guest_process = process;
	}
	return &guest;
}

static long act(int sig, const struct signal_action *new, struct signal_action *old)
{
	return sys_call(SYS_rt_sigaction, sig, (long)new, (long)old, sizeof(uint64_t), 0, 0);
}

static struct signal_action action = {
	.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORES,
	.restorer = (uintptr_t)signal_return,
	.mask = ~UINT64_C(0),
};

void signal_set_handler(void (*handler)(int sig, siginfo_t *info, void *frame), bool ignored)
{
	struct signal_action old;

	action.handler = (uintptr_t)handler;
	act(SIGSYS, &action, &old);
	own.handler = ignored ? (uintptr_t)SIG_IGN : old.handler;
}

void signal_set_cleared(void)
{
	struct signal_action *cleared = wanted();

	act(SIGSYS, &action, NULL);
	*cleared = (struct signal_action){
		.handler = (uintptr_t)(signal_is_ignored() ? SIG_IGN : SIG_DFL)};
}

bool signal_is_ignored(void)
{
	return wanted()->handler == (uintptr_t)SIG_IGN;
}

static long set_wanted(const void *from, void *to)
{
	struct signal_action *set = wanted(), new, old = *set;

	if (from && user_read(&new, from, sizeof(new)))
		return -EFAULT;
	if (to && user_write(to, &old, sizeof(old)))
		return -EFAULT;
	if (from)
		*set = new;
	return 0;
}

long signal_action(const long a[6])
{
	struct signal_action new;

	if (a[0] == SIGSYS && a[3] == sizeof(uint64_t))
		return set_wanted((const void *)a[1], (void *)a[2]);
	if (!a[1])
		return sys_call(SYS_rt_sigaction, a[0], a[1], a[2], a[3], 0, 0);
	if (user_read(&new, (const void *)a[1], sizeof(new)))
		return -EFAULT;
	new.mask &= ~SIGNAL_BIT(SIGSYS);
	return sys_call(SYS_rt_sigaction, a[0], (long)&new, a[2], a[3], 0, 0);
}

/*
 * A bit for each thread, by its id: the program has blocked SIGSYS there. The kernel is not told
 * so, as it would kill the process at the next trap. A thread that is made by clone() can begin
 * with the bit of one that had its id before; C libraries set the mask of a new thread.
 */
#define THREADS_MOST (1 << 22) /* PID_MAX_LIMIT in include/linux/threads.h */
static _Atomic(uint64_t) blocking[THREADS_MOST / 64];

static unsigned int thread_here(void)
{
	return (unsigned int)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0) % THREADS_MOST;
}

bool signal_is_blocked(void)
{
	unsigned int thread = thread_here();

	return blocking[thread / 64] >> thread % 64 & 1;
}

void signal_set_blocked(bool blocked)
{
	unsigned int thread = thread_here();
	uint64_t bit = UINT64_C(1) << thread % 64;

	if (blocked)
		atomic_fetch_or(&blocking[thread / 64], bit);
	else
		atomic_fetch_and(&blocking[thread / 64], ~bit);
}

/* What the call makes of a mask. 0 or a negative errno. */
static int change_mask(const long a[6], uint64_t *mask)
{
	uint64_t set;

	if (a[3] != sizeof(set))
		return -EINVAL;
	if (!a[1])
		return 0;
	if (user_read(&set, (const void *)a[1], sizeof(set)))
		return -EFAULT;
	switch (a[0]) {
	case SIG_BLOCK:
		*mask |= set;
		return 0;
	case SIG_UNBLOCK:
		*mask &= ~set;
		return 0;
	case SIG_SETMASK:
		*mask = set;
		return 0;
	default:
		return -EINVAL;
	}
}

long signal_mask(const long a[6], uint64_t *mask)
{
	const uint64_t old = *mask | (signal_is_blocked() ? SIGNAL_BIT(SIGSYS) : 0);
	uint64_t new = old;
	int ret = change_mask(a, &new);

	if (ret)
		return ret;
	if (a[1])
		signal_set_blocked(new &SIGNAL_BIT(SIGSYS));
	*mask = new & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGSYS));
	return a[2] && user_write((void *)a[2], &old, sizeof(old)) ? -EFAULT : 0;
}

/* ---- signal masks of calls that wait ---- */

#define NO_MASK 6

/* The argument that is a mask. pselect6() and io_pgetevents() have it in a struct. */
static unsigned int mask_argument(long nr)
{
	switch (nr) {
	case SYS_rt_sigsuspend:
		return 0;
	case SYS_ppoll:
		return 3;
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return 4;
	case SYS_pselect6:
	case SYS_io_pgetevents:
		return 5;
	default:
		return NO_MASK;
	}
}

bool signal_has_mask(long nr)
{
	return mask_argument(nr) != NO_MASK;
}

/* Reads the argument into of[2]: the address of a mask and its size. */
static int read_argument(unsigned int arg, const long a[6], unsigned long of[2])
{
	of[0] = arg < NO_MASK ? (unsigned long)a[arg] : 0;
	of[1] = sizeof(uint64_t);
	return arg == 5 ? user_read(of, (const void *)a[arg], 2 * sizeof(of[0])) : 0;
}

/* 1: *mask blocks SIGSYS. 0: it does not, or there is no mask. Else a negative errno. */
static int read_mask(unsigned int arg, const long a[6], uint64_t *mask)
{
	unsigned long of[2];
	int ret = read_argument(arg, a, of);

	if (!ret && (!of[0] || of[1] != sizeof(*mask)))
		return 0;
	if (!ret)
		ret = user_read(mask, (const void *)of[0], sizeof(*mask));
	return ret ? ret : !!(*mask & SIGNAL_BIT(SIGSYS));
}

void signal_pass_mask(long nr, const long a[6], ucontext_t *frame)
{
	const unsigned int arg = mask_argument(nr);
	struct passing *passing;
	uint64_t mask;
	int ret = read_mask(arg, a, &mask);

	/* The kernel refuses a bad pointer. */
	if (ret < 0 && ret != -EFAULT)
		return arch_set_result(frame, ret);
	passing = arch_pass(frame, program_pass);
	if (ret <= 0)
		return;
	passing->kept[0] = mask & ~SIGNAL_BIT(SIGSYS);
	passing->kept[1] = (unsigned long)&passing->kept[0];
	passing->kept[2] = sizeof(mask);
	arch_change_argument(frame, arg, arg == 5 ? &passing->kept[1] : &passing->kept[0]);
}

static void end_by(int sig)
{
	const struct signal_action by_default = {.handler = (uintptr_t)SIG_DFL};
	const uint64_t set = SIGNAL_BIT(sig);

	act(sig, &by_default, NULL);
	sys_call(SYS_tgkill, sys_getpid(), sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0), sig, 0, 0, 0);
	sys_sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void signal_pass_on(int sig, siginfo_t *info, ucontext_t *frame)
{
	const struct signal_action by = *wanted();
	uint64_t mask;

	/* SIGSYS from a filter cannot be ignored: force_sig_seccomp() in kernel/signal.c. */
	if (by.handler == (uintptr_t)SIG_IGN && info->si_code != SYS_SECCOMP)
		return;
	if (by.handler == (uintptr_t)SIG_DFL || by.handler == (uintptr_t)SIG_IGN)
		return end_by(sig);
	if (by.flags & (unsigned int)SA_RESETHAND)
		wanted()->handler = (uintptr_t)SIG_DFL;
	__builtin_memcpy(&mask, &frame->uc_sigmask, sizeof(mask));
	mask |= by.mask & ~SIGNAL_BIT(SIGSYS);
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
	((void (*)(int, siginfo_t *, void *))by.handler)(sig, info, frame);
}
