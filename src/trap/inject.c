/* SPDX-License-Identifier: MIT */
#include "trap/inject.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "trap/arch.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define EXEC_STOP (SIGTRAP | PTRACE_EVENT_EXEC << 8)

static long trace(int request, pid_t pid, unsigned long addr, unsigned long data)
{
	return sys_call(SYS_ptrace, request, pid, (long)addr, (long)data, 0, 0);
}

static int peek(pid_t pid, unsigned long addr, unsigned long *word)
{
	return (int)trace(PTRACE_PEEKDATA, pid, addr, (unsigned long)word);
}

static int poke(pid_t pid, unsigned long addr, const void *from, size_t len)
{
	int ret = 0;

	for (size_t i = 0; !ret && i < len; i += sizeof(long)) {
		unsigned long word = 0;

		memcpy(&word, (const char *)from + i,
		       len - i < sizeof(word) ? len - i : sizeof(word));
		ret = (int)trace(PTRACE_POKEDATA, pid, addr + i, word);
	}
	return ret;
}

/*
 * Waits for the next stop. Returns its status, or a negative errno: the process is gone. A
 * thread that executes a program gets the id of its process, so this waits for any id; the
 * helper traces nothing else.
 */
static int wait_for_stop(void)
{
	int status, ret;

	do
		ret = (int)sys_call(SYS_wait4, -1, (long)&status, __WALL, 0, 0, 0);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	return WIFSTOPPED(status) ? status >> 8 : -ESRCH;
}

/* Lets the thread run up to its exec(). */
static int wait_for_exec(pid_t thread)
{
	for (;;) {
		int stop = wait_for_stop(), ret;

		if (stop < 0 || stop == EXEC_STOP)
			return stop < 0 ? stop : 0;
		if (stop >> 8 == PTRACE_EVENT_STOP)
			ret = (int)trace(PTRACE_LISTEN, thread, 0, 0);
		else
			ret = (int)trace(PTRACE_CONT, thread, 0, (unsigned long)(stop & 0xff));
		/* It may have been killed meanwhile, which the next wait finds. */
		if (ret && ret != -ESRCH)
			return ret;
	}
}

/* Runs the process to the next breakpoint. 0 or a negative errno. */
static int run_on(pid_t pid, const arch_traced *regs)
{
	int ret = arch_set(pid, regs), stop;

	if (!ret)
		ret = (int)trace(PTRACE_CONT, pid, 0, 0);
	stop = ret ? ret : wait_for_stop();
	return stop == SIGTRAP ? 0 : stop < 0 ? stop : -EPERM;
}

/*
 * At the stop the process is still inside execve(), whose return sets a register. Runs it to
 * the breakpoint behind the syscall instruction at its program counter.
 */
static int leave_exec(pid_t pid, const arch_traced *at)
{
	arch_traced regs = *at;

	arch_skip_to(&regs, arch_pc(at) + ARCH_BREAKPOINT);
	return run_on(pid, &regs);
}

/* Makes a system call in the process. Returns its result, or the errno of a failed ptrace(). */
static long remote_call(pid_t pid, const arch_traced *at, long nr, const long a[6])
{
	arch_traced regs = *at;
	int ret;

	arch_prepare_call(&regs, nr, a);
	ret = run_on(pid, &regs);
	if (!ret)
		ret = arch_get(pid, &regs);
	return ret ? ret : arch_result(&regs);
}

static int map(pid_t pid, const arch_traced *at, unsigned long addr, size_t len, int prot)
{
	const long a[6] = {(long)addr, (long)len,
			   prot,       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			   -1,	       0};
	long ret = remote_call(pid, at, SYS_mmap, a);

	if (ret < 0)
		return (int)ret;
	return (unsigned long)ret == addr ? 0 : -EEXIST;
}

static int map_image(pid_t pid, const arch_traced *at, const struct image_head *head)
{
	const unsigned long pc = arch_pc(at);
	unsigned long word = 0, changed;
	int ret = peek(pid, pc, &word);

	if (ret)
		return ret;
	changed = (word & ~ARCH_SYSCALL_MASK) | ARCH_SYSCALL_AND_STOP;
	ret = poke(pid, pc, &changed, sizeof(changed));
	if (!ret)
		ret = leave_exec(pid, at);
	if (!ret)
		ret = map(pid, at, IMAGE_BASE, head->text_size, PROT_READ | PROT_EXEC);
	if (!ret)
		ret = map(pid, at, IMAGE_BASE + head->text_size, head->memory_size,
			  PROT_READ | PROT_WRITE);
	if (!ret)
		ret = poke(pid, pc, &word, sizeof(word));
	return ret;
}

static int write_image(pid_t pid, const arch_traced *at, const struct inject *inject)
{
	const struct image_head *head = inject->text;
	const struct image_boot boot = {.program = arch_program(at), .origin = inject->origin};
	int ret = poke(pid, IMAGE_BASE, inject->text, head->text_size);

	if (!ret)
		ret = poke(pid, IMAGE_BASE + head->text_size, inject->data, head->data_size);
	return ret ? ret : poke(pid, head->boot, &boot, sizeof(boot));
}

/* All signals are blocked meanwhile. The image starts with the program's signal mask. */
static int put_in(pid_t pid, const struct inject *inject)
{
	const struct image_head *head = inject->text;
	const uint64_t all = ~UINT64_C(0);
	arch_traced regs;
	uint64_t mask;
	int ret = arch_get(pid, &regs);

	/* The filters allow all calls of a 32-bit program. */
	if (!ret && !arch_is_ours(&regs))
		return (int)trace(PTRACE_DETACH, pid, 0, 0);
	if (!ret)
		ret = (int)trace(PTRACE_GETSIGMASK, pid, sizeof(mask), (unsigned long)&mask);
	if (!ret)
		ret = (int)trace(PTRACE_SETSIGMASK, pid, sizeof(all), (unsigned long)&all);
	if (!ret)
		ret = map_image(pid, &regs, head);
	if (!ret)
		ret = write_image(pid, &regs, inject);
	if (ret)
		return ret;
	arch_go_to(&regs, head->start);
	ret = arch_set(pid, &regs);
	if (!ret)
		ret = (int)trace(PTRACE_SETSIGMASK, pid, sizeof(mask), (unsigned long)&mask);
	return ret ? ret : (int)trace(PTRACE_DETACH, pid, 0, 0);
}

int inject(const struct inject *inject, const struct inject_target *target)
{
	int ret = (int)trace(PTRACE_SEIZE, target->thread, 0, PTRACE_O_TRACEEXEC);

	sys_write(inject->ready, &ret, sizeof(ret));
	sys_close(inject->ready);
	if (ret)
		return 0;
	ret = wait_for_exec(target->thread);
	if (!ret)
		ret = (int)trace(PTRACE_SETOPTIONS, target->process, 0, PTRACE_O_EXITKILL);
	if (!ret)
		ret = put_in(target->process, inject);
	if (!ret || ret == -ESRCH || ret == -ECHILD)
		return 0;
	sys_call(SYS_kill, target->process, SIGKILL, 0, 0, 0, 0);
	return ret;
}
