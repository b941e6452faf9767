/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/helgrind.h"
#include "base/sys.h"

/* 0 free, 1 held, 2 held and somebody may wait. */
static _Atomic(int) word;

/* What is left to be done when the lock is free. */
static void (*_Atomic errand)(void);

static void futex(int op, int value)
{
	sys_call(SYS_futex, (long)&word, op | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

struct lock_saved lock_enter(void)
{
	const uint64_t all = ~UINT64_C(0);
	struct lock_saved saved;
	int seen = 0;

	sys_sigprocmask(SIG_SETMASK, &all, &saved.sigmask);
	if (!atomic_compare_exchange_strong_explicit(&word, &seen, 1, memory_order_acquire,
						     memory_order_relaxed))
		while (atomic_exchange_explicit(&word, 2, memory_order_acquire))
			futex(FUTEX_WAIT, 2);
	helgrind_acquired(&word);
	return saved;
}

static void run_errand(void)
{
	void (*what)(void) = atomic_exchange(&errand, NULL);

	if (what)
		what();
}

/* It is released before the errand is looked for: whoever leaves one meanwhile sees it free. */
void lock_leave(struct lock_saved saved)
{
	helgrind_released(&word);
	if (atomic_exchange(&word, 0) == 2)
		futex(FUTEX_WAKE, 1);
	sys_sigprocmask(SIG_SETMASK, &saved.sigmask, NULL);
	if (__builtin_expect(errand != NULL, 0))
		run_errand();
}

/* Nobody else blocks all signals: libc keeps two of them out of its users' reach. */
static bool is_inside(void)
{
	const uint64_t never = UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1);
	uint64_t mask = 0;

	if (!word)
		return false;
	sys_sigprocmask(SIG_SETMASK, NULL, &mask);
	return (mask | never) == ~UINT64_C(0);
}

void lock_run_after(void (*what)(void))
{
	errand = what;
	if (!is_inside())
		run_errand();
}

void lock_reset(void)
{
	atomic_store(&word, 0);
}
