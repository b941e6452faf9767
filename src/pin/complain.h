/* SPDX-License-Identifier: MIT */
/* Why a page cannot be pinned, in words. */
#ifndef PIN_COMPLAIN_H
#define PIN_COMPLAIN_H

#include <stdint.h>

/*
 * Writes into the log why the page at va, in the frame pfn (0: not known), cannot be
 * pinned, and what to do; once as long as the error stays the same. Needs the lock.
 */
void complain(uint64_t va, uint64_t pfn, int error);

#endif
