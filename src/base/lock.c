/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/helgrind.h"
#include "base/sys.h"

/* 0 free, 1 held, 2 held and somebody may wait. */
static _Atomic(int) word;

#define KERNEL_SIGSET_SIZE sizeof(uint64_t)

static void set_mask(const uint64_t *new, uint64_t *old)
{
	sys_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)new, (long)old, KERNEL_SIGSET_SIZE, 0, 0);
}

static void futex(int op, int value)
{
	sys_call(SYS_futex, (long)&word, op | FUTEX_PRIVATE_FLAG, value, 0, 0, 0);
}

struct lock_saved lock_enter(void)
{
	const uint64_t all = ~UINT64_C(0);
	struct lock_saved saved;
	int seen = 0;

	set_mask(&all, &saved.sigmask);
	if (!atomic_compare_exchange_strong_explicit(&word, &seen, 1, memory_order_acquire,
						     memory_order_relaxed))
		while (atomic_exchange_explicit(&word, 2, memory_order_acquire))
			futex(FUTEX_WAIT, 2);
	helgrind_acquired(&word);
	return saved;
}

void lock_leave(struct lock_saved saved)
{
	helgrind_released(&word);
	if (atomic_exchange_explicit(&word, 0, memory_order_release) == 2)
		futex(FUTEX_WAKE, 1);
	set_mask(&saved.sigmask, NULL);
}

void lock_reset(void)
{
	atomic_store(&word, 0);
}
