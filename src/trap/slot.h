/* SPDX-License-Identifier: MIT */
/*
 * One call of the program that the image answers: its registers, its signals, and the
 * stack on which it is answered. It is the thread's for the length of the call.
 */
#ifndef TRAP_SLOT_H
#define TRAP_SLOT_H

#include <stdatomic.h>
#include <stdint.h>

#include "trap/registers.h"

struct slot {
	struct registers program;
	uint64_t mask;		 /* the program's signals */
	unsigned long engine_sp; /* while program_call() has the program's stack */
	long call[7];		 /* a number and its arguments, for that */
	_Atomic(int) busy;
	_Atomic(int) sleeper; /* the thread that is in program_call(); 0: none is */
	int error;	      /* errno of the code that runs on this stack */
};

/*
 * A free one, which is the caller's then; NULL: there is no memory. Async-signal-safe.
 * stack is where the program is, 0: on an alternate stack. From time to time those are found that
 * threads have left for good: by siglongjmp() out of a handler that interrupted program_call(), or
 * by their end.
 */
struct slot *slot_get(unsigned long stack);

/* That of the stack on which the caller runs. */
struct slot *slot_here(void);

/* In the child of a fork: all are free but the caller's. */
void slot_only(const struct slot *mine);

#endif
