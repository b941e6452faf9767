/* SPDX-License-Identifier: MIT */
/* Which calls are trapped. A filter stays for good; each is added when it is needed. */
#ifndef TRAP_CALLS_H
#define TRAP_CALLS_H

#include "trap/filter.h"

/* From the start. */
extern const struct filter_call calls_first[];
extern const size_t calls_first_count;

/* On descriptors from the first of ours on. */
extern const struct filter_call calls_io[];
extern const size_t calls_io_count;

/* When an address was told. */
extern const struct filter_call calls_memory[];
extern const size_t calls_memory_count;

#endif
