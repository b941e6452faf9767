/* SPDX-License-Identifier: MIT */
/*
 * The system calls that are trapped. A filter cannot be removed, so each is added only when it
 * is needed.
 */
#ifndef TRAP_CALLS_H
#define TRAP_CALLS_H

#include "trap/filter.h"

/* Trapped from the start. */
extern const struct filter_call calls_first[];
extern const size_t calls_first_count;

/* Trapped once a descriptor is ours (door/fd.h), on that number and higher ones. */
extern const struct filter_call calls_io[];
extern const size_t calls_io_count;

/* Trapped once memory is told (door/memory.h). */
extern const struct filter_call calls_memory[];
extern const size_t calls_memory_count;

#endif
