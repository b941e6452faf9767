/* SPDX-License-Identifier: MIT */
/* The lock against threads, signals and fork(), on the real kernel. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/sys.h"
#include "door/start.h"
#include "suites.h"

#define THREADS 4
#define ROUNDS	20000

static unsigned long counted;

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct lock_saved saved = lock_enter();

		counted++;
		lock_leave(saved);
	}
	return arg;
}

START_TEST(one_at_a_time)
{
	pthread_t threads[THREADS];

	counted = 0;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(counted, (unsigned long)THREADS * ROUNDS);
}
END_TEST

static volatile sig_atomic_t inside, handled, handled_inside;

static void handler(int sig)
{
	struct lock_saved saved = lock_enter();

	(void)sig;
	if (inside)
		handled_inside = 1;
	handled = 1;
	lock_leave(saved);
}

static void handle(int sig)
{
	struct sigaction action = {.sa_handler = handler};

	inside = handled = handled_inside = 0;
	sigaction(sig, &action, NULL);
}

/* The handler takes the lock itself: inside it would wait for ever. */
START_TEST(signals_wait_outside)
{
	struct lock_saved saved;

	handle(SIGUSR1);
	saved = lock_enter();
	inside = 1;
	raise(SIGUSR1);
	inside = 0;
	lock_leave(saved);
	for (int i = 0; i < 1000 && !handled; i++)
		usleep(1000);
	ck_assert(handled);
	ck_assert(!handled_inside);
}
END_TEST

START_TEST(mask_is_put_back)
{
	struct lock_saved saved;
	sigset_t before, after;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &before, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	saved = lock_enter();
	lock_leave(saved);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int sig = 1; sig < NSIG; sig++)
		ck_assert_int_eq(sigismember(&before, sig), sigismember(&after, sig));
}
END_TEST

static _Atomic(bool) stop;

static void *hammer(void *arg)
{
	while (!stop)
		lock_leave(lock_enter());
	return arg;
}

/*
 * Threads that fork while others are inside, under a rain of signals whose
 * handler takes the lock too. The child can take it, whenever it was made.
 */
START_TEST(child_of_a_fork_can_take_it)
{
	static const struct itimerval often = {{0, 500}, {0, 500}}, never;
	pthread_t threads[THREADS];

	start_init(NULL);
	handle(SIGVTALRM);
	setitimer(ITIMER_VIRTUAL, &often, NULL);
	stop = false;
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, NULL), 0);
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			alarm(10);
			lock_leave(lock_enter());
			_exit(0);
		}
		ck_assert_int_gt(child, 0);
		while (waitpid(child, &status, 0) < 0)
			;
		ck_assert_int_eq(status, 0);
	}
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	setitimer(ITIMER_VIRTUAL, &never, NULL);
}
END_TEST

/* What fork() does without its handlers, in a program with other threads. */
static pid_t raw_fork(void)
{
	return (pid_t)sys_call_kernel(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
}

static void need_success(pid_t child)
{
	int status;

	ck_assert_int_gt(child, 0);
	while (waitpid(child, &status, 0) < 0)
		;
	ck_assert_int_eq(status, 0);
}

/* All signals are blocked in it: it has to end by itself. */
static void be_impatient(void)
{
	struct timespec now;

	for (clock_gettime(CLOCK_MONOTONIC, &now);; usleep(1000)) {
		struct timespec then;

		clock_gettime(CLOCK_MONOTONIC, &then);
		if (then.tv_sec > now.tv_sec + 8)
			_exit(1);
	}
}

static void *impatient(void *arg)
{
	be_impatient();
	return arg;
}

/* The child of a raw clone() takes it although somebody was inside. */
START_TEST(free_in_a_child_without_handlers)
{
	struct lock_saved saved = lock_enter();
	pid_t child = raw_fork();

	if (!child) {
		pthread_t thread;

		pthread_create(&thread, NULL, impatient, NULL);
		lock_leave(lock_enter());
		_exit(0);
	}
	lock_leave(saved);
	need_success(child);
}
END_TEST

static _Atomic(int) news; /* 0 none, 1 whole, 2 torn */

static void tell(bool torn)
{
	news = torn ? 2 : 1;
}

static int news_in_child(pid_t fork_by(void))
{
	pid_t child;
	int status;

	lock_leave(lock_enter());
	news = 0;
	lock_in_new_process = tell;
	child = fork_by();
	if (!child) {
		lock_leave(lock_enter());
		_exit(news);
	}
	ck_assert_int_gt(child, 0);
	while (waitpid(child, &status, 0) < 0)
		;
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(news, 0);
	return WEXITSTATUS(status);
}

static pid_t announced_fork(void)
{
	pid_t child;

	lock_leave_to_fork(lock_enter());
	child = raw_fork();
	if (child)
		lock_forked();
	return child;
}

static void *enter_once(void *arg)
{
	lock_leave(lock_enter());
	return arg;
}

/* Somebody else is inside between the announcement and the fork. */
static pid_t broken_fork(void)
{
	pthread_t thread;
	pid_t child;

	lock_leave_to_fork(lock_enter());
	ck_assert_int_eq(pthread_create(&thread, NULL, enter_once, NULL), 0);
	pthread_join(thread, NULL);
	child = raw_fork();
	if (child)
		lock_forked();
	return child;
}

/* A handler is: the thread itself must never wait for its own fork. */
static pid_t interrupted_fork(void)
{
	pid_t child;

	handle(SIGUSR1);
	lock_leave_to_fork(lock_enter());
	raise(SIGUSR1);
	child = raw_fork();
	if (child)
		lock_forked();
	return child;
}

/* Mappings that are shared, and of them those whose first page is there. */
static void count_shared(unsigned int *mapped, unsigned int *there)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned char is_there;
	char line[512], shared;
	uintptr_t start;

	*mapped = *there = 0;
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%*x %*3c%c", &start, &shared) != 2 || shared != 's')
			continue;
		++*mapped;
		if (!mincore((void *)start, 1, &is_there))
			*there += is_there & 1;
	}
	fclose(maps);
}

/* Where it comes to lie another shared page can have been, and be pinned: see sweep.c. */
START_TEST(what_children_share_is_there)
{
	unsigned int mapped, mapped_before, there, there_before;

	count_shared(&mapped_before, &there_before);
	lock_leave_to_fork(lock_enter());
	lock_forked();
	count_shared(&mapped, &there);
	ck_assert_uint_eq(mapped, mapped_before + 1);
	ck_assert_uint_eq(there, there_before + 1);
}
END_TEST

START_TEST(child_knows_whether_its_copy_is_whole)
{
	ck_assert_int_eq(news_in_child(announced_fork), 1);
	ck_assert_int_eq(news_in_child(raw_fork), 2);
	ck_assert_int_eq(news_in_child(broken_fork), 2);
	ck_assert_int_eq(news_in_child(interrupted_fork), 2);
	ck_assert_int_eq(news_in_child(announced_fork), 1);
	lock_leave(lock_enter());
}
END_TEST

/* In its parent's memory, as with vfork(): it is killed inside. */
static int die_inside(void *arg)
{
	lock_enter();
	sys_call_kernel(SYS_exit, 0, 0, 0, 0, 0, 0);
	return arg != NULL;
}

START_TEST(holder_that_died_loses_it)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t child =
		clone(die_inside, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	siginfo_t info;

	ck_assert_int_gt(child, 0);
	/* Not yet waited for, and then gone. */
	ck_assert_int_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	if (_i)
		waitpid(child, NULL, 0);
	lock_leave(lock_enter());
	if (!_i)
		waitpid(child, NULL, 0);
	lock_leave(lock_enter());
}
END_TEST

#ifdef ENABLE_DEBUG
static void *assert_held(void *arg)
{
	lock_assert_held();
	return arg;
}

START_TEST(held_is_no_matter)
{
	struct lock_saved saved = lock_enter();

	lock_assert_held();
	lock_leave(saved);
}
END_TEST

/* Ends by SIGILL. Another thread's hold is none. */
START_TEST(not_held_ends_the_process)
{
	pthread_t thread;

	if (_i) {
		lock_enter();
		pthread_create(&thread, NULL, assert_held, NULL);
		pthread_join(thread, NULL);
	}
	lock_assert_held();
}
END_TEST
#endif

Suite *suite_lock(void)
{
	Suite *suite = suite_create("lock");
	TCase *tc = tcase_create("lock");

	tcase_add_test(tc, one_at_a_time);
	tcase_add_test(tc, signals_wait_outside);
	tcase_add_test(tc, mask_is_put_back);
	tcase_add_test(tc, child_of_a_fork_can_take_it);
	tcase_add_test(tc, free_in_a_child_without_handlers);
	tcase_add_test(tc, what_children_share_is_there);
	tcase_add_test(tc, child_knows_whether_its_copy_is_whole);
	tcase_add_loop_test(tc, holder_that_died_loses_it, 0, 2);
#ifdef ENABLE_DEBUG
	tcase_add_test(tc, held_is_no_matter);
	tcase_add_loop_test_raise_signal(tc, not_held_ends_the_process, SIGILL, 0, 2);
#endif
	suite_add_tcase(suite, tc);
	return suite;
}
