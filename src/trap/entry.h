/* SPDX-License-Identifier: MIT */
/* Functions in assembly, and the functions that they call. */
#ifndef TRAP_ENTRY_H
#define TRAP_ENTRY_H

#include <signal.h>
#include <stdbool.h>

#include "trap/slot.h"

struct passing;

void image_entry(void);
void image_start(void) __attribute__((noreturn));

void engine_entry(void);
void engine_run(struct slot *slot) __attribute__((noreturn));

/* Of program_make(): true when the call's result is the program's as it is. */
bool made_is_done(const struct passing *passing);

/*
 * Of program_make(), with all signals blocked: a slot for engine_made(), or NULL: the call has
 * failed.
 */
struct slot *made_slot(struct passing *passing);
void engine_made(struct slot *slot) __attribute__((noreturn));

/* Adds the filters that a call makes necessary. Returns the program's result. */
long engine_look_after(long nr, const long a[6], long ret);

/* The handler of SIGSYS, and what it calls, which returns one of TRAP_... in registers.h. */
void trap_handler(int sig, siginfo_t *info, void *frame);
int trapped(int sig, siginfo_t *info, void *frame);

void signal_return(void);
void program_resume(struct slot *slot) __attribute__((noreturn));
void program_pass(void);
void program_passed(void); /* behind its call */

/* From here to program_pass(), the call of struct passing is still to be made. */
void program_unblocked(void);
void program_make(void);
long program_call(struct slot *slot);

/*
 * program_call() for clone3() with CLONE_VM. The child goes on in the program, with the struct
 * registers that is where its stack begins, or that is below the red zone of the program's. It
 * first calls clone_started(slot->call[6]) on that stack.
 */
long program_clone(struct slot *slot);
void clone_started(unsigned long started);

/*
 * clone() with flags and without an exit signal. The child runs function(arg) on the slot's
 * stack, frees the slot and exits. Returns as clone() does.
 */
long helper_clone(struct slot *slot, void (*function)(const void *), const void *arg, long flags);

#endif
