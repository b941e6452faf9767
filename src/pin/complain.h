/* SPDX-License-Identifier: MIT */
/* Explains in the log why a page cannot be pinned. */
#ifndef PIN_COMPLAIN_H
#define PIN_COMPLAIN_H

#include <stdint.h>

/*
 * Logs why the page at va, in the frame pfn (0: unknown), cannot be pinned, and what to
 * do about it. Logs nothing while the error is the same as the last time. Needs the lock.
 */
void complain(uint64_t va, uint64_t pfn, int error);

#endif
