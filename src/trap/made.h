/* SPDX-License-Identifier: MIT */
/*
 * Calls whose results alone can concern the library, and seldom do: open() and recvmsg(). The
 * program makes such a call itself, by program_make(), and the result is tested there. No slot
 * is taken before the call, which can sleep, and which a signal handler can leave for good.
 */
#ifndef TRAP_MADE_H
#define TRAP_MADE_H

#include <stdbool.h>

/* True for such a call: nothing has to be known or done before it. */
bool made_goes_first(long nr, const long a[6]);

#endif
