/* SPDX-License-Identifier: MIT */
/* Functions in assembly, and the functions that they call. */
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
 * clone() with flags and without an exit signal. The child runs function(arg) on the slot's
 * stack, frees the slot and exits. Returns as clone() does.
 */
long helper_clone(struct slot *slot, void (*function)(const void *), const void *arg, long flags);

#endif
