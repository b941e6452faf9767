/* SPDX-License-Identifier: MIT */
/*
 * A slot is what the image needs to answer one call of the program: the program's registers,
 * its signal mask, and the stack on which the image runs. A thread has it during the call.
 */
#ifndef TRAP_SLOT_H
#define TRAP_SLOT_H

#include <stdatomic.h>
#include <stdint.h>

#include "trap/registers.h"

struct slot {
	struct registers program;
	uint64_t mask;		 /* the program's signal mask */
	unsigned long engine_sp; /* while program_call() uses the program's stack */
	long call[7];		 /* number and arguments, for program_call() */
	_Atomic(int) busy;
	_Atomic(int) sleeper; /* id of the thread in program_call(), or 0 */
	int error;	      /* errno of the code that runs on this stack */
};

/*
 * Takes a free slot. NULL: there is no memory. stack is the program's stack pointer, or 0 if it
 * is on the alternate signal stack. When no slot of a chunk is free, frees those that threads
 * have left for good: by siglongjmp() out of a handler that interrupted program_call(), or by
 * their end. Async-signal-safe.
 */
struct slot *slot_get(unsigned long stack);

/* The slot on whose stack the caller runs. */
struct slot *slot_here(void);

/* In a fork() child: frees all slots but the caller's. */
void slot_only(const struct slot *mine);

#endif
