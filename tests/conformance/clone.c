/* SPDX-License-Identifier: MIT */
/* clone3(): children that have the program's memory, and such that have their own. */
#include "conformance.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef __x86_64__

void cloned(void)
{
}

#else

#define CLONE3	      435
#define CLEAR_SIGHAND UINT64_C(0x100000000)
#define MAGIC	      UINT64_C(0x6d616769635f3033)

/* struct clone_args of <linux/sched.h> */
struct args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

static char stack[64 << 10] __attribute__((aligned(16)));
static uint64_t tls[16] = {0, MAGIC};

/* What a child writes, and what a futex wakes for. */
static struct {
	volatile long tls, file, none, usr1, sys, kept[2];
	volatile int tid;
} found;

static long raw(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static long handler_of(int sig)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} action = {1, 0, 0, 0};

	raw(SYS_rt_sigaction, sig, 0, (long)&action, 8);
	return action.handler > 1 ? 2 : (long)action.handler;
}

/* In a child. It uses no libc, for it may have no thread of libc's. */
__attribute__((used, noreturn)) static void child(void)
{
	__asm__ volatile("mov %%fs:8, %0" : "=r"(found.tls));
	found.file = raw(SYS_access, (long)"file", R_OK, 0, 0);
	found.none = raw(SYS_access, (long)"none", R_OK, 0, 0);
	found.usr1 = handler_of(SIGUSR1);
	found.sys = handler_of(SIGSYS);
	for (;;)
		raw(SYS_exit, found.file || found.none != -ENOENT ? 5 : 6, 0, 0, 0);
}

/*
 * The child has all registers but the result of the call. It keeps two on what may be its
 * parent's stack, as the child of vfork() may.
 */
static long clone3(struct args *args, size_t size)
{
	register long r10 __asm__("r10") = 10;
	register long r9 __asm__("r9") = 9;
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %%r9, %[kept]\n\t"
			 "mov %%r10, 8 + %[kept]\n\t"
			 "sub $128, %%rsp\n\t" /* the red zone */
			 "and $-16, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call child\n"
			 "1:"
			 : "=a"(ret), [kept] "=m"(found.kept)
			 : "a"(CLONE3), "D"(args), "S"(size), "r"(r9), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

static void tell_found(const char *which)
{
	tell("%s: files %ld %ld, handlers %ld %ld, kept %ld %ld, thread's memory: %d", which,
	     found.file, found.none, found.usr1, found.sys, found.kept[0], found.kept[1],
	     found.tls == (long)MAGIC);
	memset((void *)&found, 0, sizeof(found));
}

static void tell_process(const char *which, struct args args)
{
	int status = -1;
	long pid;

	args.exit_signal = SIGCHLD;
	pid = clone3(&args, sizeof(args));
	if (pid < 0)
		tell("%s: %ld", which, pid);
	else if (waitpid((pid_t)pid, &status, 0) != pid)
		tell("%s: no child", which);
	else
		tell("%s: status %#x", which, (unsigned int)status);
	tell_found(which);
}

static void tell_thread(void)
{
	struct args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			 CLONE_SYSVSEM | CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
		.child_tid = (uintptr_t)&found.tid,
		.stack = (uintptr_t)stack,
		.stack_size = sizeof(stack),
		.tls = (uintptr_t)tls,
	};
	long ret;

	found.tid = -1;
	ret = clone3(&args, sizeof(args));
	if (ret < 0)
		tell("a thread: %ld", ret);
	while (ret > 0 && found.tid)
		raw(SYS_sched_yield, 0, 0, 0, 0);
	tell_found("a thread");
}

static void tell_errors(void)
{
	struct {
		struct args args;
		uint64_t more;
	} with = {{.exit_signal = SIGCHLD}, 1};
	const struct args wrong[] = {
		{.flags = UINT64_C(1) << 63},
		{.flags = CLONE_THREAD},
		{.flags = CLONE_VM | CLONE_SIGHAND | CLEAR_SIGHAND},
		{.stack = (uintptr_t)stack},
		{.flags = CLONE_VM, .stack_size = sizeof(stack)},
		{.stack = UINT64_MAX - 100, .stack_size = 4096},
		{.flags = CLONE_VM, .stack = UINT64_C(1) << 63, .stack_size = 4096},
		{.exit_signal = 1000},
		{.set_tid_size = 1},
		{.flags = UINT64_C(0x200000000), .cgroup = UINT64_MAX},
	};

	CALL(clone3(&with.args, 63));
	CALL(clone3(&with.args, 4097));
	CALL(clone3(&with.args, sizeof(with)));
	CALL(clone3(BAD, 64));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct args args = wrong[i];

		tell("wrong %zu: %ld", i, clone3(&args, sizeof(args)));
	}
}

static void handles(int sig)
{
	static const char line[] = "  handled\n";

	(void)sig;
	raw(SYS_write, STDOUT_FILENO, (long)line, sizeof(line) - 1, 0);
}

/* Its child sets the handler of SIGSYS back to the default, for itself only. */
static void spawn(void)
{
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 4", NULL}, *const envp[] = {
											   NULL};
	posix_spawnattr_t attr;
	sigset_t all;
	int status = -1;
	pid_t pid;

	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	if (!CALL(posix_spawn(&pid, "/bin/sh", NULL, &attr, argv, envp)) &&
	    waitpid(pid, &status, 0) == pid)
		tell("spawned: %#x", (unsigned int)status);
}

void cloned(void)
{
	const struct args own_stack = {.stack = (uintptr_t)stack, .stack_size = sizeof(stack)};
	struct args args = own_stack;

	signal(SIGUSR1, handles);
	signal(SIGSYS, handles);
	tell_process("as fork()", (struct args){0});
	tell_process("as fork(), on a stack", own_stack);
	tell_process("as vfork()", (struct args){.flags = CLONE_VM | CLONE_VFORK});
	args.flags = CLONE_VM | CLONE_VFORK;
	tell_process("as vfork(), on a stack", args);
	args.flags |= CLEAR_SIGHAND;
	tell_process("without handlers", args);
	tell_thread();
	tell_errors();
	spawn();
	fflush(stdout);
	raise(SIGUSR1);
	raise(SIGSYS);
}

#endif
