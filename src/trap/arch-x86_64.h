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

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

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

static inline unsigned long arch_at(const ucontext_t *frame)
{
	return (unsigned long)frame->uc_mcontext.gregs[REG_RIP];
}

#define ASSERT_FRAME(member, offset)                                                               \
	_Static_assert(offsetof(ucontext_t, member) == (offset), #member)
ASSERT_FRAME(uc_mcontext.gregs[REG_R8], FRAME_R8);
ASSERT_FRAME(uc_mcontext.gregs[REG_R12], FRAME_R12);
ASSERT_FRAME(uc_mcontext.gregs[REG_R15], FRAME_R15);
ASSERT_FRAME(uc_mcontext.gregs[REG_RBP], FRAME_RBP);
ASSERT_FRAME(uc_mcontext.gregs[REG_RBX], FRAME_RBX);
ASSERT_FRAME(uc_mcontext.gregs[REG_RSP], FRAME_SP);

/* Where the kernel says what else than the FXSAVE area it has saved: struct _fpx_sw_bytes. */
struct saved_state {
	char fxsave[464];
	uint32_t magic;
	uint32_t size;
	uint64_t features;
};
#define SAVED_ALL 0x46505853 /* FP_XSTATE_MAGIC1 */

/* The state of the vector unit and the like, which the kernel cleared for the handler. */
static inline void arch_restore_state(const ucontext_t *frame)
{
	const struct saved_state *state = (const void *)frame->uc_mcontext.fpregs;

	if (state->magic == SAVED_ALL)
		__asm__ volatile("xrstor64 %0"
				 :
				 : "m"(*state), "a"((uint32_t)state->features),
				   "d"((uint32_t)(state->features >> 32))
				 : "memory");
	else
		__asm__ volatile("fxrstor64 %0" : : "m"(*state) : "memory");
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

/* What is needed on the program's stack once the handler is left, and while a call is made. */
struct passing {
	unsigned long pc, rdi, r10, r8, r9, rsi, rdx;
	unsigned long rax; /* the call's number, or the result */
	unsigned long rflags;
	uint64_t mask;
	unsigned long to; /* where to go on: program_pass(), program_make() or program_passed() */
	unsigned long made_rdi, made_r10; /* as the call is made: arch_change_argument() */
	long nr;
	bool takes_sigsys;     /* the call waits with a mask that does not block SIGSYS */
	unsigned long kept[3]; /* what a changed argument points to */
};
#define ASSERT_OFFSET(member, offset)                                                              \
	_Static_assert(offsetof(struct passing, member) == (offset), #member)
ASSERT_OFFSET(r9, PASSING_R9);
ASSERT_OFFSET(rflags, PASSING_RFLAGS);
ASSERT_OFFSET(mask, PASSING_MASK);
ASSERT_OFFSET(to, PASSING_TO);
ASSERT_OFFSET(made_r10, PASSING_MADE_R10);
_Static_assert(sizeof(struct passing) == PASSING_SIZE, "PASSING_SIZE");

/*
 * Makes the frame go on at function(), with rax. *leaves: the handler need not return to the
 * kernel, as it must where the alternate stack is to be enabled again. The kernel may have put
 * the frame where struct passing is, so what lies highest in it is restored first.
 */
static inline struct passing *arch_pass(ucontext_t *frame, void (*function)(void), long rax,
					bool *leaves)
{
	greg_t *g = frame->uc_mcontext.gregs;
	struct passing *passing = (struct passing *)(g[REG_RSP] - RED_ZONE) - 1;

	*leaves = !((unsigned int)frame->uc_stack.ss_flags & SS_AUTODISARM);
	if (*leaves)
		arch_restore_state(frame);
	g[REG_RAX] = rax;
	passing->pc = (unsigned long)g[REG_RIP];
	passing->rdi = (unsigned long)g[REG_RDI];
	passing->r10 = (unsigned long)g[REG_R10];
	passing->r8 = (unsigned long)g[REG_R8];
	passing->r9 = (unsigned long)g[REG_R9];
	passing->rsi = (unsigned long)g[REG_RSI];
	passing->rdx = (unsigned long)g[REG_RDX];
	passing->rax = (unsigned long)rax;
	passing->rflags = (unsigned long)g[REG_EFL];
	passing->to = (unsigned long)function;
	passing->made_rdi = passing->rdi;
	passing->made_r10 = passing->r10;
	passing->nr = rax;
	passing->takes_sigsys = false;
	__builtin_memcpy(&passing->mask, &frame->uc_sigmask, sizeof(passing->mask));
	g[REG_RIP] = (greg_t)function;
	g[REG_RSP] = (greg_t)passing;
	return passing;
}

/* What arch_pass() has put on the stack, until the program goes on. */
static inline const struct passing *arch_passing(const ucontext_t *frame)
{
	return (const struct passing *)frame->uc_mcontext.gregs[REG_RSP];
}

/* The arguments of a call that is still to be made. */
static inline void arch_passing_arguments(const struct passing *passing, long a[6])
{
	a[0] = (long)passing->rdi;
	a[1] = (long)passing->rsi;
	a[2] = (long)passing->rdx;
	a[3] = (long)passing->r10;
	a[4] = (long)passing->r8;
	a[5] = (long)passing->r9;
}

/* Makes the frame go on behind such a call, in program_passed(). */
static inline void arch_end_call(ucontext_t *frame, void (*passed)(void), long ret)
{
	const struct passing *passing = arch_passing(frame);
	greg_t *g = frame->uc_mcontext.gregs;

	g[REG_RSI] = (greg_t)passing->rsi;
	g[REG_RDX] = (greg_t)passing->rdx;
	g[REG_EFL] = (greg_t)passing->rflags;
	g[REG_RAX] = ret;
	g[REG_RIP] = (greg_t)passed;
}

/* Changes argument 0, 3, 4 or 5 for the call only, after arch_pass(). */
static inline void arch_change_argument(ucontext_t *frame, struct passing *passing,
					unsigned int arg, const void *to)
{
	static const unsigned char registers[] = {REG_RDI, REG_RSI, REG_RDX,
						  REG_R10, REG_R8,  REG_R9};

	frame->uc_mcontext.gregs[registers[arg]] = (greg_t)to;
	if (!arg)
		passing->made_rdi = (unsigned long)to;
	else if (arg == 3)
		passing->made_r10 = (unsigned long)to;
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
