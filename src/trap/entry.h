/* SPDX-License-Identifier: MIT */
/* What is written in the processor's own language, and what that calls. */
#ifndef TRAP_ENTRY_H
#define TRAP_ENTRY_H

#include "trap/slot.h"

void image_entry(void);
void image_start(void) __attribute__((noreturn));

void engine_entry(void);
void engine_run(struct slot *slot) __attribute__((noreturn));

void signal_return(void);
void program_resume(struct slot *slot) __attribute__((noreturn));
void program_pass(void);
long program_call(struct slot *slot);

/*
 * clone() with flags and no signal at the end: function(arg) on the slot's stack, then the
 * slot is given back and the thread ends. Returns as clone() does.
 */
long helper_clone(struct slot *slot, void (*function)(const void *), const void *arg, long flags);

#endif
