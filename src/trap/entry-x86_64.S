/* SPDX-License-Identifier: MIT */
/*
 * The points where the helper, the kernel and the program enter the image, and where it
 * returns to the program. Only this file, registers.h and arch-x86_64.h depend on the
 * processor.
 */
#include <asm/unistd.h>

#include "trap/registers.h"

#define SIG_BLOCK   0
#define SIG_SETMASK 2
#define SIGSET_SIZE 8

	.macro function name
	.global \name
	.hidden \name
	.type \name, @function
\name:
	.endm

	.text

/* The helper starts the image here, on the program's stack, which must not be written. */
function image_entry
	cld
	mov $0, %ebp
	lea slot_first + TRAP_SLOT_SIZE - TRAP_SLOT_HEAD(%rip), %rsp
	call image_start
	ud2

/* The handler of SIGSYS returns to here, on the stack of the slot in rdi. */
function engine_entry
	cld
	mov $0, %ebp
	call engine_run
	ud2

/* sa_restorer of SIGSYS: its handler returns here. */
function signal_return
	mov $__NR_rt_sigreturn, %eax
	syscall
	ud2

/*
 * void program_resume(struct slot *slot)
 *
 * Returns to the program. Switches to the program's stack before it unblocks the signals, as
 * a signal handler may need all of that stack. Another call can take the slot as soon as it
 * is free, so everything is loaded from it before. No instruction after popfq changes flags.
 */
function program_resume
	mov %rdi, %rbx
	pushq REGISTERS_RFLAGS(%rbx)
	popfq
	mov REGISTERS_SP(%rbx), %rsp
	mov $SIG_SETMASK, %edi
	lea TRAP_SLOT_MASK(%rbx), %rsi
	mov $0, %edx
	mov $SIGSET_SIZE, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
	mov REGISTERS_RBP(%rbx), %rbp
	mov REGISTERS_RDI(%rbx), %rdi
	mov REGISTERS_RSI(%rbx), %rsi
	mov REGISTERS_RDX(%rbx), %rdx
	mov REGISTERS_R8(%rbx), %r8
	mov REGISTERS_R9(%rbx), %r9
	mov REGISTERS_R10(%rbx), %r10
	mov REGISTERS_R12(%rbx), %r12
	mov REGISTERS_R13(%rbx), %r13
	mov REGISTERS_R14(%rbx), %r14
	mov REGISTERS_R15(%rbx), %r15
	mov REGISTERS_RAX(%rbx), %rax
	mov REGISTERS_PC(%rbx), %rcx
	mov %rbx, %r11
	mov REGISTERS_RBX(%rbx), %rbx
	movl $0, TRAP_SLOT_BUSY(%r11)
	jmp *%rcx

/*
 * The handler of SIGSYS. Where it can, it leaves without rt_sigreturn(), which costs a third of a
 * trap: trapped() has restored the state of the vector unit, and struct passing on the program's
 * stack has the registers that a call uses. If the program's signals are blocked, they are
 * unblocked on that stack, as in program_resume(). Else the next one's frame can be where this
 * one is, from the change of stacks on.
 */
function trap_handler
	mov %rdx, %rbx
	sub $8, %rsp
	call trapped
	add $8, %rsp
	test %eax, %eax
	jnz 1f
	ret
1:	mov FRAME_RBP(%rbx), %rbp
	mov FRAME_R12(%rbx), %r12
	mov FRAME_R13(%rbx), %r13
	mov FRAME_R14(%rbx), %r14
	mov FRAME_R15(%rbx), %r15
	mov FRAME_R8(%rbx), %r8
	mov FRAME_R9(%rbx), %r9
	mov FRAME_SP(%rbx), %rcx
	mov FRAME_RBX(%rbx), %rbx
	mov %rcx, %rsp
	cmp $TRAP_UNBLOCKED, %eax
	je program_unblocked
	mov $SIG_SETMASK, %edi
	lea PASSING_MASK(%rsp), %rsi
	mov $0, %edx
	mov $SIGSET_SIZE, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
function program_unblocked
	pushq PASSING_RFLAGS(%rsp)
	popfq
	mov PASSING_MADE_RDI(%rsp), %rdi
	mov PASSING_RSI(%rsp), %rsi
	mov PASSING_RDX(%rsp), %rdx
	mov PASSING_MADE_R10(%rsp), %r10
	mov PASSING_RAX(%rsp), %rax
	jmp *PASSING_TO(%rsp)

/*
 * The call does not concern the library. Makes it again here, where the filter allows it,
 * with the program's stack, signals and registers. What is needed afterwards is in struct
 * passing at the stack pointer, below the red zone. A signal handler that never returns
 * leaves nothing to free. No instruction changes flags.
 */
function program_pass
	syscall
function program_passed
	mov PASSING_RDI(%rsp), %rdi
	mov PASSING_R10(%rsp), %r10
	mov PASSING_R8(%rsp), %r8
	mov PASSING_R9(%rsp), %r9
	mov PASSING_PC(%rsp), %rcx
	lea PASSING_SIZE + RED_ZONE(%rsp), %rsp
	jmp *%rcx

/*
 * program_pass() for calls whose result may concern the library (made.h). That is decided on the
 * program's stack. Only if it does, a slot is taken, with all signals blocked.
 */
function program_make
	syscall
	mov %rsi, PASSING_RSI(%rsp)
	mov %rdx, PASSING_RDX(%rsp)
	mov %rax, PASSING_RAX(%rsp)
	pushfq
	popq PASSING_RFLAGS(%rsp)
	cld
	mov %rsp, %rdi
	call made_is_done
	test %al, %al
	jz 2f
1:	pushq PASSING_RFLAGS(%rsp)
	popfq
	mov PASSING_RSI(%rsp), %rsi
	mov PASSING_RDX(%rsp), %rdx
	mov PASSING_RAX(%rsp), %rax
	jmp program_passed
2:	mov $SIG_BLOCK, %edi
	lea all_signals(%rip), %rsi
	lea PASSING_MASK(%rsp), %rdx
	mov $SIGSET_SIZE, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
	mov %rsp, %rdi
	call made_slot
	test %rax, %rax
	jz 3f
	mov %rbx, REGISTERS_RBX(%rax)
	mov %rbp, REGISTERS_RBP(%rax)
	mov %r12, REGISTERS_R12(%rax)
	mov %r13, REGISTERS_R13(%rax)
	mov %r14, REGISTERS_R14(%rax)
	mov %r15, REGISTERS_R15(%rax)
	mov %rax, %rdi
	mov %rax, %rsp
	mov $0, %ebp
	call engine_made
	ud2
3:	mov $SIG_SETMASK, %edi
	lea PASSING_MASK(%rsp), %rsi
	mov $0, %edx
	mov $SIGSET_SIZE, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
	jmp 1b

/* Makes slot->call on the program's stack, below the given number of bytes. */
	.macro call_on_program_stack below
	push %rbx
	push %rbp
	mov %rdi, %rbx
	mov %rsp, TRAP_SLOT_ENGINE_SP(%rbx)
	mov REGISTERS_SP(%rbx), %rsp
	sub $\below, %rsp
	mov $SIG_SETMASK, %edi
	lea TRAP_SLOT_MASK(%rbx), %rsi
	mov $0, %edx
	mov $SIGSET_SIZE, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
	mov TRAP_SLOT_CALL(%rbx), %rax
	mov TRAP_SLOT_CALL + 8(%rbx), %rdi
	mov TRAP_SLOT_CALL + 16(%rbx), %rsi
	mov TRAP_SLOT_CALL + 24(%rbx), %rdx
	mov TRAP_SLOT_CALL + 32(%rbx), %r10
	mov TRAP_SLOT_CALL + 40(%rbx), %r8
	mov TRAP_SLOT_CALL + 48(%rbx), %r9
	syscall
	.endm

/*
 * long program_call(struct slot *slot)
 *
 * Makes slot->call on the program's stack, with the program's signal mask. The call can
 * sleep. Signal handlers run meanwhile, and may never return.
 */
function program_call
	call_on_program_stack 0
program_called:
	mov %rax, %rbp
	mov $SIG_BLOCK, %edi
	lea all_signals(%rip), %rsi
	mov $0, %edx
	mov $SIGSET_SIZE, %r10d
	mov $__NR_rt_sigprocmask, %eax
	syscall
	mov TRAP_SLOT_ENGINE_SP(%rbx), %rsp
	mov %rbp, %rax
	pop %rbp
	pop %rbx
	ret

/* long program_clone(struct slot *slot): entry.h. The slot is the parent's only. */
function program_clone
	call_on_program_stack RED_ZONE + REGISTERS_SIZE
	test %rax, %rax
	jnz program_called
	mov %rsp, %rbx
	and $-16, %rsp
	mov $0, %ebp
	mov %r9, %rdi
	call clone_started
	pushq REGISTERS_RFLAGS(%rbx)
	popfq
	mov REGISTERS_RBP(%rbx), %rbp
	mov REGISTERS_RDI(%rbx), %rdi
	mov REGISTERS_RSI(%rbx), %rsi
	mov REGISTERS_RDX(%rbx), %rdx
	mov REGISTERS_R8(%rbx), %r8
	mov REGISTERS_R9(%rbx), %r9
	mov REGISTERS_R10(%rbx), %r10
	mov REGISTERS_R12(%rbx), %r12
	mov REGISTERS_R13(%rbx), %r13
	mov REGISTERS_R14(%rbx), %r14
	mov REGISTERS_R15(%rbx), %r15
	mov REGISTERS_RAX(%rbx), %rax
	mov REGISTERS_PC(%rbx), %rcx
	mov REGISTERS_SP(%rbx), %r11
	mov REGISTERS_RBX(%rbx), %rbx
	mov %r11, %rsp
	jmp *%rcx

/*
 * long helper_clone(struct slot *slot, void (*function)(const void *), const void *arg,
 *		     long flags)
 *
 * The child uses no stack once the slot is free: another call can take it at once.
 */
function helper_clone
	push %rbx
	push %rbp
	push %r12
	mov %rdi, %rbx
	mov %rsi, %rbp
	mov %rdx, %r12
	mov %rcx, %rdi
	mov %rbx, %rsi
	mov $0, %edx
	mov $0, %r10d
	mov $0, %r8d
	mov $__NR_clone, %eax
	syscall
	test %rax, %rax
	jz 1f
	pop %r12
	pop %rbp
	pop %rbx
	ret
1:	mov %r12, %rdi
	call *%rbp
	movl $0, TRAP_SLOT_BUSY(%rbx)
	mov $0, %edi
	mov $__NR_exit_group, %eax
	syscall
	ud2

	.section .rodata
	.balign 8
all_signals:
	.quad -1

	.section .note.GNU-stack, "", @progbits
