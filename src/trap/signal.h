/* SPDX-License-Identifier: MIT */
/*
 * The program's signals. SIGSYS is the traps': it is never blocked or ignored underneath,
 * whatever the program wants of it, and the program sees what it set.
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

/* As the kernel has it, which glibc's is not. */
struct signal_action {
	uintptr_t handler;
	unsigned long flags;
	uintptr_t restorer;
	uint64_t mask;
};

/* ignored: by the program before its exec(). */
void signal_set_handler(void (*handler)(int sig, siginfo_t *info, void *frame), bool ignored);
bool signal_is_ignored(void);

/* rt_sigaction() and rt_sigprocmask(); *mask is what the thread has, and gets. */
long signal_action(const long a[6]);
long signal_mask(const long a[6], uint64_t *mask);

/*
 * ppoll() and its kin, which wait with a mask of their own. The frame goes on to make the
 * call, with a copy of the mask that does not block SIGSYS.
 */
bool signal_has_mask(long nr);
void signal_pass_mask(long nr, const long a[6], ucontext_t *frame);

/* A SIGSYS that is no trap of ours. */
void signal_pass_on(int sig, siginfo_t *info, ucontext_t *frame);

#endif
