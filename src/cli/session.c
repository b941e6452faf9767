/* SPDX-License-Identifier: MIT */
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

/* In ns: the pause when there is nothing to read, and the time for a program after SIGINT. */
#define NAP   UINT64_C(2000000)
#define GRACE UINT64_C(10000000000)

uint64_t session_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* ---- signals ---- */

static const int forwarded[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
#define FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

static volatile sig_atomic_t target, asked_to_end;

static void forward(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	/* Not if a terminal sent it: the program got it as well. */
	if (info->si_code <= 0)
		kill(target, sig);
	if (sig != SIGINT)
		asked_to_end = sig;
	errno = saved;
}

static void forward_to(pid_t pid, struct sigaction *old)
{
	struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO};

	target = pid;
	for (size_t i = 0; i < FORWARDED; i++) {
		sigaction(forwarded[i], NULL, &old[i]);
		/* A signal that is ignored, as by nohup(1), stays ignored. */
		if (old[i].sa_handler != SIG_IGN)
			sigaction(forwarded[i], &action, NULL);
	}
}

static void restore(const struct sigaction *old)
{
	for (size_t i = 0; i < FORWARDED; i++)
		sigaction(forwarded[i], &old[i], NULL);
}

/* ---- the program ---- */

__attribute__((noreturn)) static void be_program(const struct session *session, const char *ring,
						 const sigset_t *mask)
{
	if (session->alone) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
		    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			give_up("cannot start %s: %s", session->launch->program[0],
				strerror(errno));
	}
	launch_set("NOIOMMU_SHIM_MODE", session->mode);
	launch_set("NOIOMMU_SHIM_BACKEND", session->backend);
	launch_set("NOIOMMU_SHIM_TRACE", ring);
	sigprocmask(SIG_SETMASK, mask, NULL);
	_exit(launch_exec(session->launch));
}

/* Signals are blocked until they can be forwarded to the program. */
static void start(struct session *session, struct sigaction *old)
{
	/* Made before fork(), as the path must name this process. */
	const char *ring = ring_path(&session->ring);
	sigset_t all, mask;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	session->pid = fork();
	if (session->pid < 0)
		give_up("cannot start %s: %s", session->launch->program[0], strerror(errno));
	if (!session->pid)
		be_program(session, ring, &mask);
	forward_to(session->pid, old);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static bool has_ended(struct session *session)
{
	return waitpid(session->pid, &session->status, WNOHANG) == session->pid;
}

static bool read_events(struct session *session, bool over)
{
	struct trace_event event;
	unsigned int n = 0;

	/* At most one full ring: writers may be as fast as this loop. */
	while (n < TRACE_SLOTS && ring_next(&session->ring, &event, session_now(), over)) {
		session->event(session, &event);
		n++;
	}
	return n;
}

void session_catch_up(struct session *session)
{
	read_events(session, false);
}

static void end_by_limit(struct session *session, uint64_t now)
{
	uint64_t age = now - session->begin;

	if (!session->limit || age < session->limit)
		return;
	if (!session->stopped) {
		session->stopped = true;
		if (session->look)
			session->look(session);
		kill(session->pid, SIGINT);
	} else if (!session->killed && age > session->limit + GRACE) {
		session->killed = true;
		kill(session->pid, SIGKILL);
	}
}

static void nap(void)
{
	const struct timespec time = {.tv_nsec = (long)NAP};

	nanosleep(&time, NULL);
}

void session_run(struct session *session)
{
	struct sigaction old[FORWARDED];
	uint64_t looked = 0;
	int ret = ring_make(&session->ring);

	if (ret)
		give_up("cannot allocate memory for the events: %s", strerror(-ret));
	asked_to_end = 0;
	session->begin = session_now();
	start(session, old);
	while (!has_ended(session)) {
		uint64_t now = session_now();

		end_by_limit(session, now);
		if (session->look && !session->stopped && now - looked >= session->look_each) {
			session->look(session);
			looked = session_now();
		}
		if (!read_events(session, false))
			nap();
	}
	read_events(session, true);
	session->lost = ring_lost(&session->ring);
	session->damaged = session->ring.damaged;
	ring_free(&session->ring);
	restore(old);
	session->aborted = asked_to_end;
}

int session_exit_status(const struct session *session)
{
	if (WIFSIGNALED(session->status))
		return 128 + WTERMSIG(session->status);
	return WEXITSTATUS(session->status);
}
