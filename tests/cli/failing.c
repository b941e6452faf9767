/* SPDX-License-Identifier: MIT */
/*
 * failing PROGRAM [ARG...]
 *
 * Runs the program, a `noiommu-shim run --via=trap --`, in front of `failing served` again and
 * again. Each time one system call fails of those by which a process is put under traps and by
 * which the image starts in it: in turn the first of each kind, or with FAILING=all each of them,
 * with each errno.
 *
 * `failing served` tells whether it is under traps, and executes itself once more in a child.
 *
 * Each run ends, and none of its processes is left. Both processes are served, or else there is a
 * message, and what is not served does not run. Exit status 1, with a message: it was not so.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trap/image.h"

#define SECONDS 20 /* a run that takes longer hangs */
#define STATUS	7  /* of the program, if all is well */
#define CALLS	1000

/* ---- the program ---- */

static bool is_served(void)
{
	unsigned char there;

	return !mincore((void *)IMAGE_BASE, 1, &there);
}

static int served(char **argv)
{
	int status = -1;
	pid_t pid;

	puts(is_served() ? "served" : "not served");
	if (argv[2])
		return STATUS;
	pid = fork();
	if (!pid) {
		execl(argv[0], argv[0], "served", "again", NULL);
		err(1, "exec");
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		err(1, "fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* ---- the filter ---- */

#define NR		   offsetof(struct seccomp_data, nr)
#define LOW(arg)	   (offsetof(struct seccomp_data, args) + 8 * (arg))
#define HIGH(arg)	   (LOW(arg) + 4)
#define LOAD(at)	   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ALLOW		   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ASK		   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
#define IMAGE		   (uint32_t)(IMAGE_BASE >> 32)
/* In a list of calls, of which the last is `after` before what asks. */
#define ASKED(nr, after) IS(nr, after, 0)

/*
 * Asks for the image's calls, those of the helpers, and those by which these map the image. Some
 * never fail. Of the many calls that write the image, some are enough.
 */
static int install(void)
{
	struct sock_filter code[] = {
		LOAD(NR),
		IS(SYS_rt_sigreturn, 8, 0),
		IS(SYS_rt_sigprocmask, 7, 0),
		IS(SYS_rt_sigaction, 6, 0),
		IS(SYS_exit, 5, 0),
		IS(SYS_exit_group, 4, 0),
		IS(SYS_gettid, 3, 0),
		IS(SYS_getpid, 2, 0),
		IS(SYS_close, 1, 0),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		ALLOW,
		IS(SYS_ptrace, 0, 7),
		LOAD(LOW(0)),
		IS(PTRACE_POKEDATA, 0, 4),
		LOAD(HIGH(2)),
		IS(IMAGE, 0, 2),
		LOAD(LOW(2)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 12, 0),
		ASK,
		IS(SYS_mmap, 0, 2),
		LOAD(HIGH(0)),
		IS(IMAGE, 7, 5),
		ASKED(SYS_wait4, 6),
		ASKED(SYS_pipe2, 5),
		ASKED(SYS_clone, 4),
		ASKED(SYS_prctl, 3),
		ASKED(SYS_kill, 2),
		LOAD(offsetof(struct seccomp_data, instruction_pointer) + 4),
		IS(IMAGE, 0, 1),
		ASK,
		ALLOW,
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* ---- a run ---- */

struct run {
	unsigned int fails; /* this call, from 1 on; 0: none */
	int error;
	unsigned int calls;
	struct seccomp_data call[CALLS]; /* what the first ones are */
	int status;
	char out[256], err[4096];
};

static void cannot(const char *what)
{
	err(2, "%s", what);
}

static int scratch_file(void)
{
	int fd = memfd_create("failing", MFD_CLOEXEC);

	if (fd < 0)
		cannot("memfd_create");
	return fd;
}

static void read_all(int fd, char *to, size_t size)
{
	ssize_t len = pread(fd, to, size - 1, 0);

	to[len < 0 ? 0 : len] = '\0';
	close(fd);
}

/* It has the descriptors of its parent, so that this can read the one that it gets. */
static pid_t start(char **argv, int out, int error, int said[2])
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	sigset_t no_signals;
	int listener;

	if (pid)
		return pid;
	sigemptyset(&no_signals);
	sigprocmask(SIG_SETMASK, &no_signals, NULL);
	listener = install();
	if (write(said[1], &listener, sizeof(listener)) != sizeof(listener))
		_exit(2);
	/* Its own descriptors from here on. */
	if (unshare(CLONE_FILES) || dup2(out, STDOUT_FILENO) < 0 || dup2(error, STDERR_FILENO) < 0)
		_exit(2);
	close(listener);
	execv(argv[0], argv);
	_exit(2);
}

static void answer(int listener, struct run *run)
{
	struct seccomp_notif asked = {0};
	struct seccomp_notif_resp answer = {0};

	/* A process that was killed asks no more. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked))
		return;
	answer.id = asked.id;
	answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (run->calls < CALLS)
		run->call[run->calls] = asked.data;
	if (++run->calls == run->fails) {
		answer.flags = 0;
		answer.error = -run->error;
	}
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static void nothing(int sig)
{
	(void)sig;
}

/* Reaps what has ended. Returns false once there is no process. */
static bool reap(pid_t first, struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		if (pid == first)
			run->status = status;
	return !pid;
}

/* False if it hangs. */
static bool supervise(int listener, pid_t first, struct run *run)
{
	const struct timespec most = {SECONDS, 0};
	sigset_t none;

	sigemptyset(&none);
	while (reap(first, run)) {
		struct pollfd asked = {listener, POLLIN, 0};
		int ready = ppoll(&asked, 1, &most, &none);

		if (!ready)
			return false;
		if (ready > 0 && asked.revents & POLLIN)
			answer(listener, run);
		/* All have ended, or are about to. */
		else if (ready > 0)
			usleep(1000);
	}
	return true;
}

static void kill_all(void)
{
	char path[64];
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	children = fopen(path, "r");
	while (children && fscanf(children, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (children)
		fclose(children);
}

static const char *why_wrong(const struct run *run, bool ended)
{
	if (!ended)
		return "it hangs, or a process is left";
	if (strstr(run->out, "not"))
		return "a process that is not served has run";
	if (!strcmp(run->out, "served\nserved\n") && run->status == STATUS << 8)
		return NULL;
	return strchr(run->err, '\n') ? NULL : "there is no message";
}

static void complain(const struct run *run, const char *wrong)
{
	const struct seccomp_data *call = &run->call[run->fails ? run->fails - 1 : 0];

	printf("call %u, %d(%#llx, %#llx, %#llx) at %#llx, fails with %d: %s; status %#x\n%s%s",
	       run->fails, call->nr, (long long)call->args[0], (long long)call->args[1],
	       (long long)call->args[2], (long long)call->instruction_pointer, run->error, wrong,
	       (unsigned int)run->status, run->out, run->err);
}

static bool try(char **argv, struct run *run)
{
	int out = scratch_file(), error = scratch_file(), said[2], listener;
	const char *wrong;
	bool ended;
	pid_t pid;

	if (pipe2(said, O_CLOEXEC))
		cannot("pipe2");
	pid = start(argv, out, error, said);
	if (pid < 0 || read(said[0], &listener, sizeof(listener)) != sizeof(listener) ||
	    listener < 0)
		cannot("seccomp");
	ended = supervise(listener, pid, run);
	close(listener);
	close(said[0]);
	close(said[1]);
	read_all(out, run->out, sizeof(run->out));
	read_all(error, run->err, sizeof(run->err));
	wrong = why_wrong(run, ended);
	if (wrong)
		complain(run, wrong);
	if (!ended) {
		/* A child of one that is reaped is found next. */
		do
			kill_all();
		while (waitpid(-1, NULL, __WALL) > 0);
	}
	return !wrong;
}

/* The helpers before it, and whether the image makes it, are of the kind of a call. */
static bool is_same(const struct run *run, unsigned int a, unsigned int b)
{
	const struct seccomp_data *x = &run->call[a], *y = &run->call[b];
	unsigned int helpers = 0;

	for (unsigned int i = a; i < b; i++)
		helpers += run->call[i].nr == SYS_ptrace && run->call[i].args[0] == PTRACE_SEIZE;
	return x->nr == y->nr && !helpers && (x->nr != SYS_ptrace || x->args[0] == y->args[0]) &&
	       x->instruction_pointer >> 32 == y->instruction_pointer >> 32;
}

static bool is_new(const struct run *run, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (is_same(run, i, n))
			return false;
	return true;
}

int main(int argc, char **argv)
{
	static const int errors[] = {EPERM, ENOMEM, EINTR};
	const struct sigaction action = {.sa_handler = nothing};
	const bool all = getenv("FAILING");
	static struct run none, run;
	unsigned int runs = 0, wrong = 0;
	sigset_t child;

	setlinebuf(stdout);
	if (argc > 1 && !strcmp(argv[1], "served"))
		return served(argv);
	if (argc < 2)
		errx(2, "a program is missing");
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) || sigaction(SIGCHLD, &action, NULL) ||
	    sigprocmask(SIG_BLOCK, &child, NULL))
		cannot("signals");
	if (!try(argv + 1, &none) || none.status != STATUS << 8 || none.calls > CALLS)
		errx(1, "without a failure the program is not served: %s", none.err);
	for (unsigned int n = 0; n < none.calls; n++)
		for (unsigned int i = 0; i < 3; i++) {
			if (!all && (i != n % 3 || !is_new(&none, n)))
				continue;
			run = (struct run){.fails = n + 1, .error = errors[i]};
			runs++;
			wrong += !try(argv + 1, &run);
		}
	printf("%u calls, %u runs, %u wrong\n", none.calls, runs, wrong);
	return wrong ? 1 : 0;
}
