/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>

#include "base/checker.h"
#include "base/process.h"
#include "base/sys.h"

/*
 * The word is the holder's thread ID, 0 when there is none, and these bits. A holder with
 * WORD_FORKS is inside fork(): it keeps others out for the child's sake, and changes
 * nothing.
 */
#define WORD_WAITERS 0x80000000U
#define WORD_FORKS   0x40000000U
#define WORD_THREAD  0x3fffffffU

#define TICK_NS	   10000000 /* between two checks of the holder */
#define DEAD_TICKS 5	    /* before a waiter checks whether the holder is alive */

/*
 * How long a fork keeps others waiting. helgrind confuses the child's lock with its
 * parent's, and reports another thread that takes it meanwhile.
 */
#ifdef ENABLE_HELGRIND
#define FORK_TICKS 1000
#else
#define FORK_TICKS 2
#endif

/* In memory that fork() wipes: in the child nobody holds it. */
struct lock {
	_Atomic(unsigned int) word;
	bool known; /* begin() has run in this process */
	/*
	 * The number of the last fork during which another thread took the lock. Shared
	 * with the child.
	 */
	_Atomic(unsigned int) *_Atomic broken;
};

static struct lock unwiped; /* for kernels without MADV_WIPEONFORK */
static struct lock *_Atomic lock;

static unsigned int turn; /* how often the lock was taken */

/* The fork in progress. The child has a copy, written by the thread that forks. */
static struct {
	uintptr_t thread;
	_Atomic(unsigned int) number; /* 0: lock_leave_to_fork() was not called */
	_Atomic(unsigned int) *broken;
} forking;

void (*lock_in_new_process)(bool torn);

static struct lock *get(void)
{
	struct lock *mine = atomic_load_explicit(&lock, memory_order_acquire), *other = NULL;

	if (mine)
		return mine;
	mine = process_memory(sizeof(*mine));
	if (!mine)
		mine = &unwiped;
	if (atomic_compare_exchange_strong(&lock, &other, mine))
		return mine;
	if (mine != &unwiped)
		sys_memory_free(mine, sizeof(*mine));
	return other;
}

/* Pending from lock_run_after(). */
static void (*_Atomic errand)(void);

static long futex(struct lock *l, int op, unsigned int value, const struct timespec *timeout)
{
	return sys_call(SYS_futex, (long)&l->word, op | FUTEX_PRIVATE_FLAG, value, (long)timeout, 0,
			0);
}

/* A child of vfork() can be killed while it holds the lock, which is in its parent's memory. */
static bool is_dead(unsigned int thread)
{
	siginfo_t info = {.si_pid = 0};

	if (sys_call(SYS_tkill, thread, 0, 0, 0, 0, 0) == -ESRCH)
		return true;
	return !sys_call(SYS_waitid, P_PID, thread, (long)&info,
			 WEXITED | WNOHANG | WNOWAIT | __WALL, 0, 0) &&
	       info.si_pid;
}

/* Called before anything is changed: the child of the fork in progress has to see it. */
static void break_hold(struct lock *l)
{
	if (l->broken)
		atomic_store(l->broken, forking.number);
}

static bool may_take(struct lock *l, unsigned int seen, unsigned int self, unsigned int ticks)
{
	unsigned int holder = seen & WORD_THREAD;

	if (!(seen & WORD_FORKS))
		return !holder || (ticks >= DEAD_TICKS && is_dead(holder));
	if (holder != self && ticks < FORK_TICKS)
		return false;
	break_hold(l);
	return true;
}

static void wait_and_take(struct lock *l, unsigned int self)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	unsigned int ticks = 0;

	for (;;) {
		unsigned int seen = atomic_load_explicit(&l->word, memory_order_relaxed);

		if (may_take(l, seen, self, ticks)) {
			if (atomic_compare_exchange_strong_explicit(
				    &l->word, &seen, self | WORD_WAITERS, memory_order_acquire,
				    memory_order_relaxed))
				return;
		} else if (seen & WORD_WAITERS ||
			   atomic_compare_exchange_strong(&l->word, &seen, seen | WORD_WAITERS)) {
			if (futex(l, FUTEX_WAIT, seen | WORD_WAITERS, &tick) == -ETIMEDOUT)
				ticks++;
		}
	}
}

/* The copy is whole if no other thread took the lock during the fork. */
static bool is_torn(void)
{
	bool mine = forking.number && forking.thread == (uintptr_t)pthread_self() && forking.broken;
	bool whole = mine && atomic_load(forking.broken) != forking.number;

	if (mine)
		sys_munmap(forking.broken, sizeof(*forking.broken));
	forking.number = 0;
	forking.broken = NULL;
	return !whole;
}

static void begin(struct lock *l)
{
	l->known = true;
	if (lock_in_new_process)
		lock_in_new_process(is_torn());
}

struct lock_saved lock_enter(void)
{
	const uint64_t all = ~UINT64_C(0);
	struct lock_saved saved;
	struct lock *l = get();
	unsigned int self, seen = 0;

	sys_sigprocmask(SIG_SETMASK, &all, &saved.sigmask);
	self = (unsigned int)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	if (!atomic_compare_exchange_strong_explicit(&l->word, &seen, self, memory_order_acquire,
						     memory_order_relaxed))
		wait_and_take(l, self);
	checker_acquired(&l->word);
	turn++;
	if (!l->known)
		begin(l);
	return saved;
}

unsigned int lock_turn(void)
{
	return turn ? turn : ++turn;
}

static void run_errand(void)
{
	void (*what)(void) = atomic_exchange(&errand, NULL);

	if (what)
		what();
}

/*
 * Releases the lock before it looks for an errand: whoever sets one meanwhile finds the
 * lock free.
 */
void lock_leave(struct lock_saved saved)
{
	struct lock *l = get();

	checker_released(&l->word);
	if (atomic_exchange(&l->word, 0) & WORD_WAITERS)
		futex(l, FUTEX_WAKE, 1, NULL);
	sys_sigprocmask(SIG_SETMASK, &saved.sigmask, NULL);
	if (__builtin_expect(errand != NULL, 0))
		run_errand();
}

static bool is_inside(sys_call_fn *call)
{
	unsigned int seen = get()->word;

	return seen && !(seen & WORD_FORKS) &&
	       (seen & WORD_THREAD) == (unsigned int)call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

#ifdef ENABLE_DEBUG
/* Not by sys_call: tests count its calls, in every build the same number. */
void lock_assert_held(void)
{
	if (!is_inside(sys_call_kernel))
		__builtin_trap();
}
#endif

void lock_run_after(void (*what)(void))
{
	errand = what;
	if (!is_inside(sys_call))
		run_errand();
}

void lock_leave_to_fork(struct lock_saved saved)
{
	static unsigned int number;
	struct lock *l = get();

	if (!l->broken) {
		void *shared = sys_memory_shared(sizeof(*l->broken));

		l->broken = sys_is_error(shared) ? NULL : shared;
	}
	forking.thread = (uintptr_t)pthread_self();
	forking.number = ++number ? number : ++number;
	forking.broken = l->broken;
	checker_released(&l->word);
	atomic_fetch_or(&l->word, WORD_FORKS);
	sys_sigprocmask(SIG_SETMASK, &saved.sigmask, NULL);
	if (errand)
		run_errand();
}

void lock_forked(void)
{
	struct lock *l = get();
	unsigned int self = (unsigned int)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	unsigned int seen = atomic_load(&l->word);

	/* If another thread took the lock, forking may describe another fork by now. */
	if ((seen & ~WORD_WAITERS) == (self | WORD_FORKS))
		forking.number = 0;
	while ((seen & ~WORD_WAITERS) == (self | WORD_FORKS))
		if (atomic_compare_exchange_weak(&l->word, &seen, 0)) {
			if (seen & WORD_WAITERS)
				futex(l, FUTEX_WAKE, 1, NULL);
			return;
		}
}

void lock_begin_in_child(void)
{
	unwiped = (struct lock){.known = false};
	lock_leave(lock_enter());
}
