/* SPDX-License-Identifier: MIT */
#include "trap/signal.h"

#include <errno.h>
#include <stddef.h>

#include "base/sys.h"
#include "base/user.h"
#include "trap/arch.h"
#include "trap/entry.h"
#include "uapi/syscall.h"

#define SA_RESTORES 0x04000000

/* The action that the program set for SIGSYS. */
static struct signal_action wanted;

static long act(int sig, const struct signal_action *new, struct signal_action *old)
{
	return sys_call(SYS_rt_sigaction, sig, (long)new, (long)old, sizeof(uint64_t), 0, 0);
}

void signal_set_handler(void (*handler)(int sig, siginfo_t *info, void *frame), bool ignored)
{
	struct signal_action old;

	const struct signal_action action = {
		.handler = (uintptr_t)handler,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORES,
		.restorer = (uintptr_t)signal_return,
		.mask = ~UINT64_C(0),
	};

	act(SIGSYS, &action, &old);
	wanted.handler = ignored ? (uintptr_t)SIG_IGN : old.handler;
}

bool signal_is_ignored(void)
{
	return wanted.handler == (uintptr_t)SIG_IGN;
}

static long set_wanted(const void *from, void *to)
{
	struct signal_action new, old = wanted;

	if (from && user_read(&new, from, sizeof(new)))
		return -EFAULT;
	if (to && user_write(to, &old, sizeof(old)))
		return -EFAULT;
	if (from)
		wanted = new;
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

long signal_mask(const long a[6], uint64_t *mask)
{
	uint64_t set = 0, old = *mask;

	if (a[3] != sizeof(set))
		return -EINVAL;
	if (a[1] && user_read(&set, (const void *)a[1], sizeof(set)))
		return -EFAULT;
	if (a[1] && a[0] == SIG_BLOCK)
		*mask |= set;
	else if (a[1] && a[0] == SIG_UNBLOCK)
		*mask &= ~set;
	else if (a[1] && a[0] == SIG_SETMASK)
		*mask = set;
	else if (a[1])
		return -EINVAL;
	*mask &= ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGSYS));
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
	const struct signal_action by = wanted;
	uint64_t mask;

	/* SIGSYS from a filter cannot be ignored: force_sig_seccomp() in kernel/signal.c. */
	if (by.handler == (uintptr_t)SIG_IGN && info->si_code != SYS_SECCOMP)
		return;
	if (by.handler == (uintptr_t)SIG_DFL || by.handler == (uintptr_t)SIG_IGN)
		return end_by(sig);
	if (by.flags & (unsigned int)SA_RESETHAND)
		wanted.handler = (uintptr_t)SIG_DFL;
	__builtin_memcpy(&mask, &frame->uc_sigmask, sizeof(mask));
	mask |= by.mask & ~SIGNAL_BIT(SIGSYS);
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
	((void (*)(int, siginfo_t *, void *))by.handler)(sig, info, frame);
}
