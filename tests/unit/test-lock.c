/* SPDX-License-Identifier: MIT */
/* The lock against threads, signals and fork(), on the real kernel. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
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

/* A raw clone() runs no handlers: the child says itself that nobody is inside. */
START_TEST(reset_frees_it)
{
	struct lock_saved saved = lock_enter();

	lock_reset();
	lock_leave(lock_enter());
	lock_leave(saved);
}
END_TEST

Suite *suite_lock(void)
{
	Suite *suite = suite_create("lock");
	TCase *tc = tcase_create("lock");

	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, one_at_a_time);
	tcase_add_test(tc, signals_wait_outside);
	tcase_add_test(tc, mask_is_put_back);
	tcase_add_test(tc, child_of_a_fork_can_take_it);
	tcase_add_test(tc, reset_frees_it);
	suite_add_tcase(suite, tc);
	return suite;
}
