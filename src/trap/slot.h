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
 * Takes a free slot. NULL: there is no memory. When no slot of a chunk is free, frees those of
 * threads that have ended in program_call(). A thread that has jumped out of it keeps the slot:
 * its stack pointer does not show that, as a handler can run on any stack. Few calls sleep there
 * (trap/made.h). Async-signal-safe.
 */
struct slot *slot_get(void);

/* The slot on whose stack the caller runs. */
struct slot *slot_here(void);

/* In a fork() child: frees all slots but the caller's. */
void slot_only(const struct slot *mine);

#endif
