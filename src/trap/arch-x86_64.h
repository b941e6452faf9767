/* SPDX-License-Identifier: MIT */
/* What a processor calls its things. One such file for each. */
#ifndef TRAP_ARCH_X86_64_H
#define TRAP_ARCH_X86_64_H

#include <linux/audit.h>
#include <ucontext.h>

#include "trap/registers.h"

#define ARCH_AUDIT AUDIT_ARCH_X86_64

/* From a signal's frame, at a system call that was not made. */
static inline void arch_save(struct registers *to, const ucontext_t *from)
{
	const greg_t *g = from->uc_mcontext.gregs;

	*to = (struct registers){
		.rbx = (unsigned long)g[REG_RBX], .rbp = (unsigned long)g[REG_RBP],
		.rdi = (unsigned long)g[REG_RDI], .rsi = (unsigned long)g[REG_RSI],
		.rdx = (unsigned long)g[REG_RDX], .r8 = (unsigned long)g[REG_R8],
		.r9 = (unsigned long)g[REG_R9],	  .r10 = (unsigned long)g[REG_R10],
		.r12 = (unsigned long)g[REG_R12], .r13 = (unsigned long)g[REG_R13],
		.r14 = (unsigned long)g[REG_R14], .r15 = (unsigned long)g[REG_R15],
		.sp = (unsigned long)g[REG_RSP],  .pc = (unsigned long)g[REG_RIP],
		.rflags = (unsigned long)g[REG_EFL],
	};
}

/* The frame returns to function(argument) on another stack. */
static inline void arch_redirect(ucontext_t *frame, void (*function)(void), void *argument,
				 void *stack)
{
	greg_t *g = frame->uc_mcontext.gregs;

	g[REG_RIP] = (greg_t)function;
	g[REG_RDI] = (greg_t)argument;
	g[REG_RSP] = (greg_t)stack;
}

static inline void arch_set_result(ucontext_t *frame, long ret)
{
	frame->uc_mcontext.gregs[REG_RAX] = ret;
}

/* Its arguments. */
static inline void arch_arguments(const struct registers *from, long a[6])
{
	a[0] = (long)from->rdi;
	a[1] = (long)from->rsi;
	a[2] = (long)from->rdx;
	a[3] = (long)from->r10;
	a[4] = (long)from->r8;
	a[5] = (long)from->r9;
}

#endif
