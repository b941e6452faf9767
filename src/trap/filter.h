/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filter: which system calls go to SIGSYS's handler. It is a program for the
 * kernel's classic BPF, made from a table.
 *
 * A call whose number is not in the table is decided by its number alone, and the kernel
 * remembers that (seccomp_cache_prepare() in kernel/seccomp.c): it costs nothing more.
 */
#ifndef TRAP_FILTER_H
#define TRAP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When a call of that number is trapped. */
enum filter_test {
	FILTER_ALWAYS,
	FILTER_FD_FROM,	  /* argument `arg` is a descriptor from value on */
	FILTER_IOCTL,	  /* the request is of VFIO's type */
	FILTER_GIVEN,	  /* argument `arg` is not 0 */
	FILTER_WITHOUT,	  /* of the bits in value argument `arg` has none */
	FILTER_ELSEWHERE, /* the high half of argument 0 is not value */
};

struct filter_call {
	unsigned int nr;
	enum filter_test test;
	unsigned int arg;
	uint32_t value;
};

/* The instructions from..to-1 are the image's: their calls pass. */
struct filter_range {
	uint64_t from, to;
};

/*
 * What si_errno is in a signal of these traps: the program may have filters of its own. Of two
 * that trap a call the kernel asks the one that came later.
 */
#define FILTER_DATA 0x7368

/* As many as the largest table comes to. */
#define FILTER_SIZE 640

/* The number of instructions in program[FILTER_SIZE]; 0: they do not fit. */
unsigned int filter_build(struct sock_filter *program, const struct filter_call *calls,
			  size_t count, struct filter_range range);

/* For all threads of this process, and for good. 0 or a negative errno. */
int filter_install(const struct sock_filter *program, unsigned int len);

#endif
