/* SPDX-License-Identifier: MIT */
/* The registers and instructions of x86-64. Each architecture has such a file. */
#ifndef TRAP_ARCH_X86_64_H
#define TRAP_ARCH_X86_64_H

#include <linux/audit.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <ucontext.h>

#include "base/sys.h"
#include "trap/registers.h"

#define ARCH_AUDIT AUDIT_ARCH_X86_64

/* ---- the signal frame of a trapped system call ---- */

static inline void arch_save(struct registers *to, const ucontext_t *from)
{
	const greg_t *g = from->uc_mcontext.gregs;

	*to = (struct registers){
		.rbx = (unsigned long)g[REG_RBX],
		.rbp = (unsigned long)g[REG_RBP],
		.rdi = (unsigned long)g[REG_RDI],
		.rsi = (unsigned long)g[REG_RSI],
		.rdx = (unsigned long)g[REG_RDX],
		.r8 = (unsigned long)g[REG_R8],
		.r9 = (unsigned long)g[REG_R9],
		.r10 = (unsigned long)g[REG_R10],
		.r12 = (unsigned long)g[REG_R12],
		.r13 = (unsigned long)g[REG_R13],
		.r14 = (unsigned long)g[REG_R14],
		.r15 = (unsigned long)g[REG_R15],
		.sp = (unsigned long)g[REG_RSP],
		.pc = (unsigned long)g[REG_RIP],
		.rflags = (unsigned long)g[REG_EFL],
	};
}

static inline void arch_arguments(const ucontext_t *frame, long a[6])
{
	const greg_t *g = frame->uc_mcontext.gregs;

	a[0] = g[REG_RDI];
	a[1] = g[REG_RSI];
	a[2] = g[REG_RDX];
	a[3] = g[REG_R10];
	a[4] = g[REG_R8];
	a[5] = g[REG_R9];
}

static inline unsigned long arch_stack(const ucontext_t *frame)
{
	return (unsigned long)frame->uc_mcontext.gregs[REG_RSP];
}

static inline void arch_set_result(ucontext_t *frame, long ret)
{
	frame->uc_mcontext.gregs[REG_RAX] = ret;
}

static inline long arch_result_of(const ucontext_t *frame)
{
	return frame->uc_mcontext.gregs[REG_RAX];
}

static inline unsigned long arch_at(const ucontext_t *frame)
{
	return (unsigned long)frame->uc_mcontext.gregs[REG_RIP];
}

static inline void arch_set_pc(ucontext_t *frame, void (*pc)(void))
{
	frame->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}

/* Makes the frame return to function(argument) on another stack. */
static inline void arch_redirect(ucontext_t *frame, void (*function)(void), void *argument,
				 void *stack)
{
	greg_t *g = frame->uc_mcontext.gregs;

	g[REG_RIP] = (greg_t)function;
	g[REG_RDI] = (greg_t)argument;
	g[REG_RSP] = (greg_t)stack;
}

/* What program_pass() needs on the program's stack while it makes the call again. */
struct passing {
	unsigned long pc, rdi, r10, r8, r9;
	/* Only for program_make(), which makes the call nr. */
	unsigned long rsi, rdx, rax, rflags;
	uint64_t mask;
	/* Of program_pass(), this is 0, or a call that waits with a mask (signal.c). */
	long nr;
	unsigned long kept[3]; /* what a changed argument points to */
};
#define ASSERT_OFFSET(member, offset)                                                              \
	_Static_assert(offsetof(struct passing, member) == (offset), #member)
ASSERT_OFFSET(r9, PASSING_R9);
ASSERT_OFFSET(rflags, PASSING_RFLAGS);
ASSERT_OFFSET(mask, PASSING_MASK);
_Static_assert(sizeof(struct passing) == PASSING_SIZE, "PASSING_SIZE");

/* Makes the frame return to function(), which makes the call. */
static inline struct passing *arch_pass(ucontext_t *frame, void (*function)(void))
{
	greg_t *g = frame->uc_mcontext.gregs;
	struct passing *passing = (struct passing *)(g[REG_RSP] - RED_ZONE) - 1;

	passing->pc = (unsigned long)g[REG_RIP];
	passing->rdi = (unsigned long)g[REG_RDI];
	passing->r10 = (unsigned long)g[REG_R10];
	passing->r8 = (unsigned long)g[REG_R8];
	passing->r9 = (unsigned long)g[REG_R9];
	passing->nr = 0;
	g[REG_RIP] = (greg_t)function;
	g[REG_RSP] = (greg_t)passing;
	return passing;
}

/* What arch_pass() has put on the stack, in program_pass(). */
static inline const struct passing *arch_passing(const ucontext_t *frame)
{
	return (const struct passing *)frame->uc_mcontext.gregs[REG_RSP];
}

/*
 * Changes an argument for the call only, after arch_pass(). program_pass() restores arguments
 * 0, 3, 4 and 5, so only these can be changed.
 */
static inline void arch_change_argument(ucontext_t *frame, unsigned int arg, const void *to)
{
	static const unsigned char registers[] = {REG_RDI, REG_RSI, REG_RDX,
						  REG_R10, REG_R8,  REG_R9};

	frame->uc_mcontext.gregs[registers[arg]] = (greg_t)to;
}

/*
 * The program's registers after the call, and the call's arguments. The callee-saved registers
 * are missing.
 */
static inline void arch_passed(struct registers *to, long call[7], const struct passing *from)
{
	*to = (struct registers){
		.rdi = from->rdi,
		.rsi = from->rsi,
		.rdx = from->rdx,
		.r8 = from->r8,
		.r9 = from->r9,
		.r10 = from->r10,
		.rax = from->rax,
		.sp = (unsigned long)(from + 1) + RED_ZONE,
		.pc = from->pc,
		.rflags = from->rflags,
	};
	call[0] = from->nr;
	call[1] = (long)from->rdi;
	call[2] = (long)from->rsi;
	call[3] = (long)from->rdx;
	call[4] = (long)from->r10;
	call[5] = (long)from->r8;
	call[6] = (long)from->r9;
}

static inline long arch_passed_result(const struct passing *passing)
{
	return (long)passing->rax;
}

static inline void arch_set_passed_result(struct passing *passing, long ret)
{
	passing->rax = (unsigned long)ret;
}

/* ---- memory ---- */

static inline void arch_copy(void *to, const void *from, size_t len)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}

static inline void arch_fill(void *to, int byte, size_t len)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) : "memory");
}

/* ---- a traced process, stopped at its start or at a breakpoint ---- */

typedef struct user_regs_struct arch_traced;

/* syscall; int3 */
#define ARCH_SYSCALL_AND_STOP 0xcc050fUL
#define ARCH_SYSCALL_MASK     0xffffffUL
#define ARCH_BREAKPOINT	      2 /* offset of the int3, in bytes */

static inline int arch_get(pid_t pid, arch_traced *regs)
{
	return (int)sys_call(SYS_ptrace, PTRACE_GETREGS, pid, 0, (long)regs, 0, 0);
}

static inline int arch_set(pid_t pid, const arch_traced *regs)
{
	return (int)sys_call(SYS_ptrace, PTRACE_SETREGS, pid, 0, (long)regs, 0, 0);
}

/* False for a 32-bit program. */
static inline bool arch_is_ours(const arch_traced *regs)
{
	return regs->cs == 0x33;
}

static inline unsigned long arch_pc(const arch_traced *regs)
{
	return regs->rip;
}

/* Makes the system call that the process is in return to pc. */
static inline void arch_skip_to(arch_traced *regs, unsigned long pc)
{
	regs->rip = pc;
}

/* Continues at pc, outside of a system call: the kernel then restarts none. */
static inline void arch_go_to(arch_traced *regs, unsigned long pc)
{
	regs->rip = pc;
	regs->orig_rax = ~0UL;
}

static inline void arch_prepare_call(arch_traced *regs, long nr, const long a[6])
{
	regs->rax = (unsigned long)nr;
	regs->orig_rax = ~0UL;
	regs->rdi = (unsigned long)a[0];
	regs->rsi = (unsigned long)a[1];
	regs->rdx = (unsigned long)a[2];
	regs->r10 = (unsigned long)a[3];
	regs->r8 = (unsigned long)a[4];
	regs->r9 = (unsigned long)a[5];
}

static inline long arch_result(const arch_traced *regs)
{
	return (long)regs->rax;
}

static inline struct registers arch_program(const arch_traced *at)
{
	return (struct registers){
		.rbx = at->rbx,
		.rbp = at->rbp,
		.rdi = at->rdi,
		.rsi = at->rsi,
		.rdx = at->rdx,
		.r8 = at->r8,
		.r9 = at->r9,
		.r10 = at->r10,
		.r12 = at->r12,
		.r13 = at->r13,
		.r14 = at->r14,
		.r15 = at->r15,
		.rax = at->rax,
		.sp = at->rsp,
		.pc = at->rip,
		.rflags = at->eflags,
	};
}

#endif
