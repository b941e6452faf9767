/* SPDX-License-Identifier: MIT */
/*
 * What the program has made of SIGSYS in each thread. The kernel is not told that it is blocked,
 * as it would kill the process at the next trap. A SIGSYS that is sent to a thread that blocks
 * it is kept here, and sent again when the thread takes it.
 *
 * Kept is one signal for each thread, and one for the process, as the kernel does. A thread that
 * sleeps may return -EINTR when one comes. Neither signalfd() nor an exec() finds it.
 */
#ifndef TRAP_PENDING_H
#define TRAP_PENDING_H

#include <signal.h>
#include <stdbool.h>

/* True when the program has blocked SIGSYS in this thread, and sets that. */
bool signal_is_blocked(void);
void signal_set_blocked(bool blocked);

/* This thread begins to wait for SIGSYS by rt_sigtimedwait(). */
void pending_wait(void);

/* Keeps a SIGSYS that this thread got, or sends it on to a thread that takes it. */
void pending_keep(const siginfo_t *info);

/* True if one is kept for this thread or process. */
bool pending_here(void);

/* Takes one that is kept for this thread or process. False: there is none. */
bool pending_take(siginfo_t *info);

/* Sends one again to this thread, for which all signals are blocked. */
void pending_send(void);

/* Forgets what is kept for the process and its threads. */
void pending_drop(void);

#endif
