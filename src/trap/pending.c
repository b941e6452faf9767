/* SPDX-License-Identifier: MIT */
#include "trap/pending.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/dir.h"
#include "base/lock.h"
#include "base/sys.h"

/* ---- sets of threads ---- */

/*
 * A bit for each thread, by its id. A thread that is made by clone() can begin with the bit of
 * one that had its id before; C libraries set the mask of a new thread.
 */
#define THREADS_MOST (1 << 22) /* PID_MAX_LIMIT in include/linux/threads.h */
typedef _Atomic(uint64_t) threads[THREADS_MOST / 64];

static threads blocking, waiting;

static pid_t thread_here(void)
{
	return (pid_t)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static bool has(threads set, pid_t thread)
{
	unsigned int bit = (unsigned int)thread % THREADS_MOST;

	return set[bit / 64] >> bit % 64 & 1;
}

/* Returns whether it was in the set. */
static bool set_in(threads set, pid_t thread, bool in)
{
	unsigned int at = (unsigned int)thread % THREADS_MOST;
	uint64_t bit = UINT64_C(1) << at % 64;

	return bit &
	       (in ? atomic_fetch_or(&set[at / 64], bit) : atomic_fetch_and(&set[at / 64], ~bit));
}

bool signal_is_blocked(void)
{
	return has(blocking, thread_here());
}

void signal_set_blocked(bool blocked)
{
	set_in(blocking, thread_here(), blocked);
}

void pending_wait(void)
{
	set_in(waiting, thread_here(), true);
}

/* ---- what is kept ---- */

#define PLACES 64 /* for a signal more, one that is kept for another thread is lost */
#define TAKEN  INT32_MIN

/* For a thread, by its id, or for a process, by its pid with a minus; 0: the place is free. */
static struct kept {
	_Atomic(pid_t) whose;
	siginfo_t info;
} kept[PLACES];

static struct kept *find(pid_t whose)
{
	for (size_t i = 0; i < PLACES; i++)
		if (kept[i].whose == whose)
			return &kept[i];
	return NULL;
}

static void keep(pid_t whose, const siginfo_t *info)
{
	struct kept *place;
	pid_t was = 0;

	if (find(whose))
		return;
	do {
		place = find(0);
		was = 0;
		if (!place) {
			place = &kept[(unsigned int)whose % PLACES];
			was = place->whose;
		}
	} while (!atomic_compare_exchange_strong(&place->whose, &was, TAKEN));
	place->info = *info;
	place->whose = whose;
}

static int send(pid_t thread, const siginfo_t *info)
{
	return (int)sys_call(SYS_rt_tgsigqueueinfo, sys_getpid(), thread, SIGSYS, (long)info, 0, 0);
}

/* ---- a signal for the process goes to a thread that takes it ---- */

static int send_if_taken(const char *name, void *arg)
{
	pid_t thread = (pid_t)strtol(name, NULL, 10);

	if (thread <= 0 || (has(blocking, thread) && !set_in(waiting, thread, false)))
		return 0;
	return !send(thread, arg);
}

static bool sent_on(const siginfo_t *info)
{
	struct lock_saved saved = lock_enter();
	siginfo_t copy = *info;
	bool sent;

	/* Only to itself a thread sends SI_USER: do_rt_tgsigqueueinfo() in kernel/signal.c. */
	copy.si_code = info->si_code < 0 ? info->si_code : SI_QUEUE;
	sent = dir_each("/proc/self/task", send_if_taken, &copy) == 1;
	lock_leave(saved);
	return sent;
}

void pending_keep(const siginfo_t *info)
{
	const pid_t thread = thread_here();

	set_in(waiting, thread, false);
	if (info->si_code == SI_TKILL)
		keep(thread, info);
	else if (!sent_on(info))
		keep(-sys_getpid(), info);
}

/* ---- and is delivered ---- */

bool pending_here(void)
{
	return find(thread_here()) || find(-sys_getpid());
}

static bool take(pid_t whose, siginfo_t *info)
{
	struct kept *place = find(whose);

	if (!place || !atomic_compare_exchange_strong(&place->whose, &whose, TAKEN))
		return false;
	*info = place->info;
	place->whose = 0;
	return true;
}

bool pending_take(siginfo_t *info)
{
	return take(thread_here(), info) || take(-sys_getpid(), info);
}

void pending_send(void)
{
	siginfo_t info;

	if (pending_take(&info))
		send(thread_here(), &info);
}

void pending_drop(void)
{
	for (size_t i = 0; i < PLACES; i++)
		kept[i].whose = 0;
}
