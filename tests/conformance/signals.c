/* SPDX-License-Identifier: MIT */
/* What a way in that lives by a signal could take from the program: signals, and exec. */
#include "conformance.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

static volatile sig_atomic_t count;

static void counts(int sig)
{
	(void)sig;
	count++;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	const struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	if (sigaction(sig, &action, NULL))
		abort();
}

/* How a child ends. */
static void tell_end(const char *what, void (*run)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		run();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	tell("%s: status %d, signal %d", what, WEXITSTATUS(status), WTERMSIG(status));
}

/* ---- filters ---- */

#define ANSWER 4711

static void answers(int sig, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;

	(void)sig;
	count += info->si_code == 1 /* SYS_SECCOMP */ && info->si_syscall == SYS_getppid;
#if defined(__x86_64__)
	frame->uc_mcontext.gregs[REG_RAX] = ANSWER;
#elif defined(__aarch64__)
	frame->uc_mcontext.regs[0] = ANSWER;
#endif
}

static void trap_getppid(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		abort();
}

static void calls_as_filtered(void)
{
	trap_getppid();
	getppid();
}

void filters(void)
{
	const struct sigaction action = {.sa_sigaction = answers, .sa_flags = SA_SIGINFO};

	tell_end("a call that a filter traps", calls_as_filtered);
	handle(SIGSYS, SIG_IGN, 0);
	tell_end("... and the signal is ignored", calls_as_filtered);
	sigaction(SIGSYS, &action, NULL);
	trap_getppid();
	for (int i = 0; i < 3; i++)
		tell("getppid() is %d, handled %d", (int)syscall(SYS_getppid), (int)count);
	CALL(the.access("file", R_OK));
}

/* ---- SIGSYS ---- */

static void raises(void)
{
	raise(SIGSYS);
}

void own_sigsys(void)
{
	struct sigaction action;

	tell_end("by default", raises);
	handle(SIGSYS, SIG_IGN, 0);
	tell_end("ignored", raises);
	handle(SIGSYS, counts, SA_RESTART | SA_NODEFER);
	sigaction(SIGSYS, NULL, &action);
	tell("the handler is there: %d, flags %#x", action.sa_handler == counts,
	     (unsigned int)action.sa_flags);
	raise(SIGSYS);
	kill(getpid(), SIGSYS);
	tell("handled %d times", (int)count);
	CALL(the.access("file", R_OK));
	handle(SIGSYS, counts, (int)SA_RESETHAND);
	raise(SIGSYS);
	tell_end("after one more", raises);
}

/* ---- masks ---- */

static void tell_mask(const char *when)
{
	sigset_t mask;
	int set = 0;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int sig = 1; sig < NSIG; sig++)
		set += sigismember(&mask, sig) == 1;
	tell("%s: %d are blocked, SIGSYS: %d, handled %d", when, set, sigismember(&mask, SIGSYS),
	     (int)count);
}

static void tell_mask_of_child(void)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	_exit(sigismember(&mask, SIGSYS));
}

/* With all signals blocked calls are made as ever; one that came waits. */
void masks(void)
{
	struct timespec no_time = {0, 0};
	sigset_t all, but_one;

	sigfillset(&all);
	but_one = all;
	sigdelset(&but_one, SIGUSR1);
	handle(SIGUSR1, counts, 0);
	tell_mask("at first");
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	tell_mask("all blocked");
	tell_end("in a child", tell_mask_of_child);
	raise(SIGUSR1);
	CALL(the.access("file", R_OK));
	CALL(the.close(the.open("file", O_RDONLY)));
	tell_mask("all blocked");
	CALL(ppoll(NULL, 0, &no_time, &all));
	CALL(ppoll(NULL, 0, NULL, &but_one));
	tell_mask("in ppoll()");
	raise(SIGUSR1);
	CALL(sigsuspend(&but_one));
	tell_mask("in sigsuspend()");
	pthread_sigmask(SIG_SETMASK, &but_one, NULL);
	CALL(the.access("none", R_OK));
	raise(SIGUSR1);
	tell_mask("unblocked");
}

/* ---- a SIGSYS that is blocked ---- */

static sigset_t only_sigsys(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	return set;
}

static void tells(int sig, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	tell("handler: signal %d, code %d, value %d, by this process: %d", sig, info->si_code,
	     info->si_code == SI_QUEUE ? info->si_value.sival_int : 0, info->si_pid == getpid());
}

/* In between there are calls that are trapped. */
static void tell_pending(const char *when)
{
	sigset_t set;

	CALL(the.access("file", R_OK));
	sigpending(&set);
	tell("%s: pending %d, handled %d", when, sigismember(&set, SIGSYS), (int)count);
}

static void let_come(void)
{
	const sigset_t set = only_sigsys();

	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	tell_pending("unblocked");
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void raised_again(int sig)
{
	if (!count++)
		raise(sig);
	tell_pending("in the handler");
}

static void *takes(void *at)
{
	const struct timespec soon = {0, 1000000};
	const sigset_t set = only_sigsys();

	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	*(volatile bool *)at = true;
	while (!count)
		nanosleep(&soon, NULL);
	return NULL;
}

static void *waits_for_sigsys(void *at)
{
	const struct timespec long_time = {15, 0};
	const sigset_t set = only_sigsys();

	*(volatile bool *)at = true;
	return (void *)(long)sigtimedwait(&set, NULL, &long_time);
}

/* A signal for the process, which the main thread blocks. */
static void *with_thread(void *(*run)(void *at))
{
	const struct timespec soon = {0, 50000000};
	volatile bool there = false;
	pthread_t thread;
	void *ret;

	pthread_create(&thread, NULL, run, (void *)&there);
	while (!there)
		nanosleep(&soon, NULL);
	nanosleep(&soon, NULL);
	kill(getpid(), SIGSYS);
	pthread_join(thread, &ret);
	return ret;
}

void blocked_sigsys(void)
{
	const struct sigaction told = {.sa_sigaction = tells, .sa_flags = SA_SIGINFO};
	const struct timespec no_time = {0, 0}, long_time = {15, 0};
	const sigset_t set = only_sigsys();
	sigset_t none;

	sigemptyset(&none);
	sigaction(SIGSYS, &told, NULL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raise(SIGSYS);
	raise(SIGSYS);
	tell_pending("raised twice");
	let_come();
	kill(getpid(), SIGSYS);
	tell_pending("sent");
	let_come();
	sigqueue(getpid(), SIGSYS, (union sigval){.sival_int = 11});
	raise(SIGSYS);
	let_come();

	raise(SIGSYS);
	CALL(sigtimedwait(&set, NULL, &no_time));
	CALL(sigtimedwait(&set, NULL, &no_time));
	raise(SIGSYS);
	CALL(sigsuspend(&none));
	raise(SIGSYS);
	CALL(ppoll(NULL, 0, &long_time, &none));
	raise(SIGSYS);
	CALL(ppoll(NULL, 0, &no_time, &set));
	tell_pending("after ppoll()");
	tell_end("in a child", let_come);
	handle(SIGSYS, SIG_IGN, 0);
	handle(SIGSYS, raised_again, 0);
	let_come();
	raise(SIGSYS);
	let_come();

	handle(SIGSYS, counts, SA_RESTART);
	count = 0;
	with_thread(takes);
	tell_pending("taken by a thread");
	tell("... which waits: %ld", (long)with_thread(waits_for_sigsys));
	tell_pending("taken by a thread that waits");
	handle(SIGSYS, SIG_DFL, 0);
	raise(SIGSYS);
	tell_end("by default", let_come);
	let_come();
}

/* ---- handlers that go elsewhere ---- */

#define JUMPS 100

static sigjmp_buf back;

static void jumps(int sig)
{
	siglongjmp(back, sig);
}

/* Out of a call that waits, more often than there can be calls at once. */
void left_by_jumps(void)
{
	const struct itimerval soon = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	volatile int jumped = 0;

	handle(SIGALRM, jumps, 0);
	if (sigsetjmp(back, 1))
		jumped++;
	else
		setitimer(ITIMER_REAL, &soon, NULL);
	while (jumped < JUMPS)
		the.open("fifo", O_RDONLY);
	setitimer(ITIMER_REAL, &never, NULL);
	/* One signal more can come before the timer stops. */
	tell("jumped often enough: %d", jumped >= JUMPS);
	CALL(the.access("file", R_OK));
	tell_mask("afterwards");
}

static char *volatile stack_of_handler;

static void calls(int sig)
{
	char here;

	(void)sig;
	stack_of_handler = &here;
	CALL(the.access("file", R_OK));
	CALL(the.close(the.open("file", O_RDONLY)));
	CALL(the.access("none", R_OK));
}

void alternate_stack(void)
{
	static char memory[64 << 10];
	const stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};

	if (sigaltstack(&stack, NULL))
		abort();
	handle(SIGUSR1, calls, SA_ONSTACK);
	raise(SIGUSR1);
	tell("it was called there: %d",
	     stack_of_handler >= memory && stack_of_handler < memory + sizeof(memory));
	handle(SIGUSR1, calls, 0);
	raise(SIGUSR1);
	tell("... or here: %d",
	     stack_of_handler < memory || stack_of_handler >= memory + sizeof(memory));
}

/* ---- handlers on a stack that the kernel does not know ---- */

#define WAITING 40 /* more than there are slots at first in src/trap */

static ucontext_t in_handler, elsewhere;

static void calls_elsewhere(void)
{
	CALL(the.access("file", R_OK));
	CALL(the.access("none", R_OK));
}

static void goes_elsewhere(int sig)
{
	(void)sig;
	swapcontext(&in_handler, &elsewhere);
}

static void *waits(void *result)
{
	int fd = the.open("fifo", O_RDONLY);

	*(bool *)result = fd >= 0;
	the.close(fd);
	return NULL;
}

static bool opened[WAITING];

static pthread_t start_waiting(const pthread_attr_t *attributes, size_t i)
{
	pthread_t thread;

	if (pthread_create(&thread, attributes, waits, &opened[i]))
		abort();
	return thread;
}

static int join_waiting(const pthread_t *threads)
{
	int right = 0;

	for (size_t i = 0; i < WAITING; i++) {
		pthread_join(threads[i], NULL);
		right += opened[i];
	}
	return right;
}

/* The first thread has the lower half of the memory for a stack, its handler the upper one. */
void on_another_stack(void)
{
	static char memory[512 << 10] __attribute__((aligned(4096)));
	const struct timespec soon = {0, 100000000};
	pthread_attr_t attributes;
	pthread_t threads[WAITING];
	int fd;

	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory, sizeof(memory) / 2);
	getcontext(&elsewhere);
	elsewhere.uc_stack.ss_sp = memory + sizeof(memory) / 2;
	elsewhere.uc_stack.ss_size = sizeof(memory) / 2;
	elsewhere.uc_link = &in_handler;
	makecontext(&elsewhere, calls_elsewhere, 0);
	handle(SIGUSR1, goes_elsewhere, SA_RESTART);
	threads[0] = start_waiting(&attributes, 0);
	nanosleep(&soon, NULL);
	for (size_t i = 1; i < WAITING; i++)
		threads[i] = start_waiting(NULL, i);
	nanosleep(&soon, NULL);
	pthread_kill(threads[0], SIGUSR1);
	nanosleep(&soon, NULL);
	fd = the.open("fifo", O_WRONLY);
	tell("%d of %d threads have opened it", join_waiting(threads), WAITING);
	the.close(fd);
}

/* ---- programs ---- */

static char *const no_environment[] = {NULL};
static char *const *volatile bad = BAD; /* the compiler does not see that */

static void becomes_shell(void)
{
	char *const argv[] = {"sh", "-c", "exit 7", NULL};

	execve("/bin/sh", argv, no_environment);
}

static void *becomes_in_thread(void *unused)
{
	becomes_shell();
	return unused;
}

/* The program takes the place of all threads. */
static void thread_becomes(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, becomes_in_thread, NULL);
	pthread_join(thread, NULL);
}

static void waits_for_none(void)
{
	char *const argv[] = {"sh", "-c", "wait; exec sh -c 'exit $(($# + 9))' 0 1 2", NULL};

	execve("/bin/sh", argv, no_environment);
}

static pid_t vforks(const char *path)
{
	pid_t pid = vfork();

	if (!pid) {
		char *const argv[] = {"sh", "-c", "exit 8", NULL};

		execve(path, argv, no_environment);
		_exit(errno);
	}
	return pid;
}

void executed(void)
{
	static const char *const none[] = {"none", "dir", "file", "file/x", ""};
	int status = -1;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		char *const argv[] = {"none", NULL};

		CALL(execve(none[i], argv, no_environment));
	}
	CALL(execve("/bin/sh", bad, no_environment));
	CALL(execve((char *)bad, bad, no_environment));
	tell_end("sh", becomes_shell);
	tell_end("sh of a thread", thread_becomes);
	tell_end("one after the other", waits_for_none);
	for (int i = 0; i < 40; i++) {
		pid_t pid = vforks(i % 2 ? "/bin/sh" : "none");

		if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != (i % 2 ? 8 : ENOENT))
			tell("vfork() %d: status %#x", i, (unsigned int)status);
	}
	CALL(waitpid(-1, NULL, __WALL));
}
