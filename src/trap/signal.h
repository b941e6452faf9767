/* SPDX-License-Identifier: MIT */
/*
 * The program's signals. The traps need SIGSYS: it is never really blocked or ignored,
 * whatever the program sets. The program sees the action and the masks that it set.
 */
#ifndef TRAP_SIGNAL_H
#define TRAP_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code */
#endif

#define SIGNAL_BIT(sig) (UINT64_C(1) << ((sig)-1))

/* The kernel's struct sigaction, which differs from glibc's. */
struct signal_action {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

/* ignored: the program ignored SIGSYS before its exec(). */
void signal_set_handler(bool ignored);
bool signal_is_ignored(void);

/* The program is about to call sigaltstack(): from here on the handler of traps blocks signals. */
void signal_use_alternate_stack(void);

/* True if signals were blocked when the handler of traps began. */
bool signal_handler_blocks(void);

/* In a child of clone3() with CLONE_CLEAR_SIGHAND. */
void signal_set_cleared(void);

/* rt_sigaction(), rt_sigpending(), and rt_sigprocmask(), which changes the thread's *mask. */
long signal_action(const long a[6]);
long signal_pending(const long a[6]);
long signal_mask(const long a[6], uint64_t *mask);

/*
 * rt_sigtimedwait(). The frame returns to the call if it may have to wait. True: arch_pass()
 * allows to leave it.
 */
bool signal_wait(const long a[6], ucontext_t *frame);

/*
 * ppoll() and similar calls, which wait with a mask of their own. signal_pass_mask() makes the
 * frame return to the call, with a copy of the mask that does not block SIGSYS. True:
 * arch_pass() allows to leave it.
 */
bool signal_has_mask(long nr);
bool signal_pass_mask(long nr, const long a[6], ucontext_t *frame);

/* Does what the program set for a SIGSYS that these filters did not raise. */
void signal_pass_on(int sig, siginfo_t *info, ucontext_t *frame);

#endif
