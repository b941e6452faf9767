/* SPDX-License-Identifier: MIT */
/* Constants that the assembly code and the rest of the image share. */
#ifndef TRAP_REGISTERS_H
#define TRAP_REGISTERS_H

/* Size of a slot's stack, and of the place for struct slot at its end. */
#define TRAP_SLOT_SIZE 0x8000
#define TRAP_SLOT_HEAD 0x200

/* Offsets in struct registers and struct slot; slot.c asserts that they are right. */
#define REGISTERS_RBX	    0
#define REGISTERS_RBP	    8
#define REGISTERS_RDI	    16
#define REGISTERS_RSI	    24
#define REGISTERS_RDX	    32
#define REGISTERS_R8	    40
#define REGISTERS_R9	    48
#define REGISTERS_R10	    56
#define REGISTERS_R12	    64
#define REGISTERS_R13	    72
#define REGISTERS_R14	    80
#define REGISTERS_R15	    88
#define REGISTERS_RAX	    96
#define REGISTERS_SP	    104
#define REGISTERS_PC	    112
#define REGISTERS_RFLAGS    120
#define REGISTERS_SIZE	    128
#define TRAP_SLOT_MASK	    128
#define TRAP_SLOT_ENGINE_SP 136
#define TRAP_SLOT_CALL	    144
#define TRAP_SLOT_BUSY	    200

/* How the handler of traps ends. It leaves its frame where arch_pass() allows it. */
#define TRAP_RETURNS   0
#define TRAP_UNBLOCKS  1 /* leaves, and unblocks the program's signals */
#define TRAP_UNBLOCKED 2 /* leaves, no signal was blocked */

/* Bytes below the stack pointer that belong to the program (System V ABI). */
#define RED_ZONE 128

/* Offsets in struct passing. */
#define PASSING_PC	 0
#define PASSING_RDI	 8
#define PASSING_R10	 16
#define PASSING_R8	 24
#define PASSING_R9	 32
#define PASSING_RSI	 40
#define PASSING_RDX	 48
#define PASSING_RAX	 56
#define PASSING_RFLAGS	 64
#define PASSING_MASK	 72
#define PASSING_TO	 80
#define PASSING_MADE_RDI 88
#define PASSING_MADE_R10 96
#define PASSING_SIZE	 144

/* Offsets in ucontext_t; arch-x86_64.h asserts that they are right. */
#define FRAME_R8  40
#define FRAME_R9  48
#define FRAME_R12 72
#define FRAME_R13 80
#define FRAME_R14 88
#define FRAME_R15 96
#define FRAME_RBP 120
#define FRAME_RBX 128
#define FRAME_SP  160

#ifndef __ASSEMBLER__
/* rcx and r11 are missing: a system call clobbers them. */
struct registers {
	unsigned long rbx, rbp, rdi, rsi, rdx, r8, r9, r10, r12, r13, r14, r15;
	unsigned long rax, sp, pc, rflags;
};
#endif

#endif
