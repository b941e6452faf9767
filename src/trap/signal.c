/* SPDX-License-Identifier: MIT */
#include "trap/signal.h"

#include <errno.h>
#include <stddef.h>

#include "base/process.h"
#include "base/sys.h"
#include "base/user.h"
#include "trap/arch.h"
#include "trap/entry.h"
#include "trap/pending.h"
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

/* Never reset: another process can have set it, the child of a vfork(). */
static bool blocks_all;

/*
 * A call that sleeps is not interrupted by a signal that the program ignores.
 *
 * To unblock signals costs a tenth of a trap. On an alternate stack they must be blocked, as it
 * may be too small for two frames, and as the handler leaves its frame, where the next one
 * begins. Everywhere else the handler blocks them where it has to.
 */
static void set_handler(struct signal_action *old)
{
	const struct signal_action *set = wanted();
	const bool interrupts = set->handler != (uintptr_t)SIG_IGN && !(set->flags & SA_RESTART);
	const struct signal_action action = {
		.handler = (uintptr_t)trap_handler,
		.flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORES |
			 (interrupts ? 0 : SA_RESTART),
		.restorer = (uintptr_t)signal_return,
		.mask = blocks_all ? ~UINT64_C(0) : 0,
	};

	act(SIGSYS, &action, old);
}

void signal_set_handler(bool ignored)
{
	struct signal_action old;

	set_handler(&old);
	own.handler = ignored ? (uintptr_t)SIG_IGN : old.handler;
}

void signal_use_alternate_stack(void)
{
	blocks_all = true;
	set_handler(NULL);
}

bool signal_handler_blocks(void)
{
	return blocks_all;
}

void signal_set_cleared(void)
{
	struct signal_action *cleared = wanted();

	*cleared = (struct signal_action){
		.handler = (uintptr_t)(signal_is_ignored() ? SIG_IGN : SIG_DFL)};
	set_handler(NULL);
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
	if (!from)
		return 0;
	*set = new;
	set_handler(NULL);
	if (signal_is_ignored())
		pending_drop();
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
	if (!(new &SIGNAL_BIT(SIGSYS)))
		pending_send();
	return a[2] && user_write((void *)a[2], &old, sizeof(old)) ? -EFAULT : 0;
}

long signal_pending(const long a[6])
{
	long ret = sys_call(SYS_rt_sigpending, a[0], a[1], 0, 0, 0, 0);
	uint64_t set = 0;

	if (ret || !pending_here())
		return ret;
	ret = user_read(&set, (const void *)a[0], sizeof(set));
	set |= SIGNAL_BIT(SIGSYS);
	return ret ? ret : user_write((void *)a[0], &set, (size_t)a[1]);
}

/* ---- calls that wait for a signal ---- */

/* True if rt_sigtimedwait() need not wait, as a SIGSYS is kept for it: *ret is its result. */
static bool wait_at_once(const long a[6], long *ret)
{
	siginfo_t info;
	uint64_t set;

	if (a[3] != sizeof(set) || user_read(&set, (const void *)a[0], sizeof(set)) ||
	    !(set & SIGNAL_BIT(SIGSYS)))
		return false;
	/* One that comes from here on is sent to this thread: wait_again(). */
	pending_wait();
	if (!pending_take(&info))
		return false;
	*ret = SIGSYS;
	if (a[1] && user_write((void *)a[1], &info, sizeof(info)))
		*ret = -EFAULT;
	return true;
}

bool signal_wait(const long a[6], ucontext_t *frame)
{
	bool leaves;
	long ret;

	if (wait_at_once(a, &ret))
		arch_pass(frame, program_passed, ret, &leaves);
	else
		arch_pass(frame, program_pass, SYS_rt_sigtimedwait, &leaves);
	return leaves;
}

/* True where the program's signals are unblocked, but the call of program_pass() is not made. */
static bool is_before_call(const ucontext_t *frame)
{
	const unsigned long at = arch_at(frame);

	return at >= (unsigned long)program_unblocked && at <= (unsigned long)program_pass &&
	       arch_passing(frame)->to == (unsigned long)program_pass;
}

/* A signal came, and rt_sigtimedwait() is still to be made. */
static void wait_again(ucontext_t *frame)
{
	long a[6], ret;

	if (!is_before_call(frame) || arch_passing(frame)->nr != SYS_rt_sigtimedwait)
		return;
	arch_passing_arguments(arch_passing(frame), a);
	if (wait_at_once(a, &ret))
		arch_end_call(frame, program_passed, ret);
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

/* 1, or 0: there is no mask. Else a negative errno. */
static int read_mask(unsigned int arg, const long a[6], uint64_t *mask)
{
	unsigned long of[2];
	int ret = read_argument(arg, a, of);

	if (!ret && (!of[0] || of[1] != sizeof(*mask)))
		return 0;
	if (!ret)
		ret = user_read(mask, (const void *)of[0], sizeof(*mask));
	return ret ? ret : 1;
}

/* ---- a SIGSYS that these filters did not raise ---- */

static void end_by(int sig)
{
	const struct signal_action by_default = {.handler = (uintptr_t)SIG_DFL};
	const uint64_t set = SIGNAL_BIT(sig);

	act(sig, &by_default, NULL);
	sys_call(SYS_tgkill, sys_getpid(), sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0), sig, 0, 0, 0);
	sys_sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* True in a call that waits with a mask that does not block SIGSYS, or before it. */
static bool waits_for_it(const ucontext_t *frame)
{
	return (is_before_call(frame) || arch_at(frame) == (unsigned long)program_passed) &&
	       arch_passing(frame)->takes_sigsys;
}

static void call_handler(const struct signal_action *by, int sig, siginfo_t *info,
			 ucontext_t *frame)
{
	const uint64_t all = ~UINT64_C(0);
	const bool was_blocked = signal_is_blocked();
	uint64_t mask;

	__builtin_memcpy(&mask, &frame->uc_sigmask, sizeof(mask));
	mask |= by->mask & ~SIGNAL_BIT(SIGSYS);
	if (!(by->flags & SA_NODEFER) || by->mask & SIGNAL_BIT(SIGSYS))
		signal_set_blocked(true);
	sys_sigprocmask(SIG_SETMASK, &mask, NULL);
	((void (*)(int, siginfo_t *, void *))by->handler)(sig, info, frame);
	sys_sigprocmask(SIG_SETMASK, &all, NULL);
	signal_set_blocked(was_blocked);
	if (!was_blocked)
		pending_send();
}

static void act_on(int sig, siginfo_t *info, ucontext_t *frame)
{
	const struct signal_action by = *wanted();

	if (by.handler == (uintptr_t)SIG_IGN)
		return;
	if (by.handler == (uintptr_t)SIG_DFL)
		return end_by(sig);
	if (by.flags & (unsigned int)SA_RESETHAND)
		wanted()->handler = (uintptr_t)SIG_DFL;
	call_handler(&by, sig, info, frame);
}

void signal_pass_on(int sig, siginfo_t *info, ucontext_t *frame)
{
	/* Such a one cannot be ignored or blocked: force_sig_info_to_task() in kernel/signal.c. */
	const bool forced = info->si_code > 0;

	if (!forced && signal_is_blocked()) {
		if (!waits_for_it(frame)) {
			pending_keep(info);
			return wait_again(frame);
		}
		if (is_before_call(frame))
			arch_end_call(frame, program_passed, -EINTR);
	} else if (forced && (signal_is_blocked() || signal_is_ignored())) {
		return end_by(sig);
	}
	act_on(sig, info, frame);
}

bool signal_pass_mask(long nr, const long a[6], ucontext_t *frame)
{
	const unsigned int arg = mask_argument(nr);
	struct passing *passing;
	siginfo_t info;
	uint64_t mask;
	int ret = read_mask(arg, a, &mask);
	bool takes = ret > 0 && !(mask & SIGNAL_BIT(SIGSYS)), leaves;

	if (takes && pending_take(&info)) {
		arch_set_result(frame, -EINTR);
		act_on(SIGSYS, &info, frame);
		return false;
	}
	/* The kernel refuses a bad pointer. */
	if (ret < 0 && ret != -EFAULT) {
		arch_set_result(frame, ret);
		return false;
	}
	passing = arch_pass(frame, program_pass, nr, &leaves);
	passing->takes_sigsys = takes;
	if (ret <= 0 || takes)
		return leaves;
	passing->kept[0] = mask & ~SIGNAL_BIT(SIGSYS);
	passing->kept[1] = (unsigned long)&passing->kept[0];
	passing->kept[2] = sizeof(mask);
	arch_change_argument(frame, passing, arg, arg == 5 ? &passing->kept[1] : &passing->kept[0]);
	return leaves;
}
