/* SPDX-License-Identifier: MIT */
#include "trap/inject.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "base/sys.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define EXEC_STOP (SIGTRAP | PTRACE_EVENT_EXEC << 8)

/* syscall; int3 */
#define SYSCALL_AND_STOP 0xcc050fUL
#define SYSCALL_MASK	 0xffffffUL
#define BREAKPOINT	 2 /* bytes */

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

		memcpy(&word, (const char *)from + i, len - i < sizeof(word) ? len - i : sizeof(word));
		ret = (int)trace(PTRACE_POKEDATA, pid, addr + i, word);
	}
	return ret;
}

/* Waits for the next stop. Its status, or a negative errno: it is gone. */
static int wait_for_stop(pid_t pid)
{
	int status, ret;

	do
		ret = (int)sys_call(SYS_wait4, pid, (long)&status, __WALL, 0, 0, 0);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	return WIFSTOPPED(status) ? status >> 8 : -ESRCH;
}

/* Lets it run up to its exec(). */
static int wait_for_exec(pid_t pid)
{
	for (;;) {
		int stop = wait_for_stop(pid);

		if (stop < 0 || stop == EXEC_STOP)
			return stop < 0 ? stop : 0;
		if (stop >> 8 == PTRACE_EVENT_STOP)
			trace(PTRACE_LISTEN, pid, 0, 0);
		else
			trace(PTRACE_CONT, pid, 0, (unsigned long)(stop & 0xff));
	}
}

/*
 * At the stop it is inside execve() still, whose return sets a register: goes on to the
 * breakpoint behind the call that is at its program counter.
 */
static int leave_exec(pid_t pid, const struct user_regs_struct *at)
{
	struct user_regs_struct regs = *at;
	int ret, stop;

	regs.rip += BREAKPOINT;
	ret = (int)trace(PTRACE_SETREGS, pid, 0, (unsigned long)&regs);
	if (!ret)
		ret = (int)trace(PTRACE_CONT, pid, 0, 0);
	stop = ret ? ret : wait_for_stop(pid);
	return stop == SIGTRAP ? 0 : stop < 0 ? stop : -EPERM;
}

/* Has it make a system call. What it returned, a negative errno also where that failed. */
static long remote_call(pid_t pid, const struct user_regs_struct *at, long nr, const long a[6])
{
	struct user_regs_struct regs = *at;
	int ret, stop;

	regs.rax = (unsigned long)nr;
	regs.orig_rax = ~0UL;
	regs.rdi = (unsigned long)a[0];
	regs.rsi = (unsigned long)a[1];
	regs.rdx = (unsigned long)a[2];
	regs.r10 = (unsigned long)a[3];
	regs.r8 = (unsigned long)a[4];
	regs.r9 = (unsigned long)a[5];
	ret = (int)trace(PTRACE_SETREGS, pid, 0, (unsigned long)&regs);
	if (!ret)
		ret = (int)trace(PTRACE_CONT, pid, 0, 0);
	if (ret)
		return ret;
	stop = wait_for_stop(pid);
	if (stop != SIGTRAP)
		return stop < 0 ? stop : -EPERM;
	ret = (int)trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);
	return ret ? ret : (long)regs.rax;
}

static int map(pid_t pid, const struct user_regs_struct *at, unsigned long addr, size_t len,
	       int prot)
{
	const long a[6] = {(long)addr, (long)len, prot,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0};
	long ret = remote_call(pid, at, SYS_mmap, a);

	if (ret < 0)
		return (int)ret;
	return (unsigned long)ret == addr ? 0 : -EEXIST;
}

static int map_image(pid_t pid, const struct user_regs_struct *at, const struct image_head *head)
{
	unsigned long word = 0, changed;
	int ret = peek(pid, at->rip, &word);

	if (ret)
		return ret;
	changed = (word & ~SYSCALL_MASK) | SYSCALL_AND_STOP;
	ret = poke(pid, at->rip, &changed, sizeof(changed));
	if (!ret)
		ret = leave_exec(pid, at);
	if (!ret)
		ret = map(pid, at, IMAGE_BASE, head->text_size, PROT_READ | PROT_EXEC);
	if (!ret)
		ret = map(pid, at, IMAGE_BASE + head->text_size, head->memory_size,
			  PROT_READ | PROT_WRITE);
	if (!ret)
		ret = poke(pid, at->rip, &word, sizeof(word));
	return ret;
}

static int write_boot(pid_t pid, const struct user_regs_struct *at, const struct image_head *head,
		      bool filtered)
{
	const struct image_boot boot = {
		.program = {.rbx = at->rbx, .rbp = at->rbp, .rdi = at->rdi, .rsi = at->rsi,
			    .rdx = at->rdx, .r8 = at->r8, .r9 = at->r9, .r10 = at->r10,
			    .r12 = at->r12, .r13 = at->r13, .r14 = at->r14, .r15 = at->r15,
			    .rax = at->rax, .sp = at->rsp, .pc = at->rip, .rflags = at->eflags},
		.helper = sys_getpid(),
		.filtered = filtered,
	};

	return poke(pid, head->boot, &boot, sizeof(boot));
}

/* Signals wait meanwhile: the image starts with those blocked that the program has. */
static int put_in(pid_t pid, const struct inject *inject)
{
	const struct image_head *head = inject->text;
	const uint64_t all = ~UINT64_C(0);
	struct user_regs_struct regs;
	uint64_t mask;
	int ret = (int)trace(PTRACE_GETREGS, pid, 0, (unsigned long)&regs);

	if (!ret)
		ret = (int)trace(PTRACE_GETSIGMASK, pid, sizeof(mask), (unsigned long)&mask);
	if (!ret)
		ret = (int)trace(PTRACE_SETSIGMASK, pid, sizeof(all), (unsigned long)&all);
	if (!ret)
		ret = map_image(pid, &regs, head);
	if (!ret)
		ret = poke(pid, IMAGE_BASE, inject->text, head->text_size);
	if (!ret)
		ret = poke(pid, IMAGE_BASE + head->text_size, inject->data, head->data_size);
	if (!ret)
		ret = write_boot(pid, &regs, head, inject->filtered);
	regs.rip = head->start;
	regs.orig_rax = ~0UL;
	if (!ret)
		ret = (int)trace(PTRACE_SETREGS, pid, 0, (unsigned long)&regs);
	if (!ret)
		ret = (int)trace(PTRACE_SETSIGMASK, pid, sizeof(mask), (unsigned long)&mask);
	if (!ret)
		ret = (int)trace(PTRACE_DETACH, pid, 0, 0);
	return ret;
}

int inject_parent(const struct inject *inject)
{
	pid_t parent = (pid_t)sys_call(SYS_getppid, 0, 0, 0, 0, 0, 0);
	int ret = (int)trace(PTRACE_SEIZE, parent, 0, PTRACE_O_TRACEEXEC);

	sys_write(inject->ready, &ret, sizeof(ret));
	sys_close(inject->ready);
	if (!ret)
		ret = wait_for_exec(parent);
	if (ret)
		return ret;
	ret = (int)trace(PTRACE_SETOPTIONS, parent, 0, PTRACE_O_EXITKILL);
	if (!ret)
		ret = put_in(parent, inject);
	if (ret)
		sys_call(SYS_kill, parent, SIGKILL, 0, 0, 0, 0);
	return ret;
}
