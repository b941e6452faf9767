/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filters, which decide the system calls that raise SIGSYS. A filter is a classic
 * BPF program, built from a table.
 *
 * A call that is not in the table is allowed by its number alone. The kernel caches that
 * (seccomp_cache_prepare() in kernel/seccomp.c), and does not run the filter for it.
 */
#ifndef TRAP_FILTER_H
#define TRAP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The condition on which a call is trapped. */
enum filter_test {
	FILTER_ALWAYS,
	FILTER_FD_FROM,	  /* argument `arg` is a descriptor not below value */
	FILTER_FD_IS,	  /* argument `arg` is the descriptor value */
	FILTER_IOCTL,	  /* the request has VFIO's type, ';' */
	FILTER_GIVEN,	  /* argument `arg` is not 0 */
	FILTER_WITHOUT,	  /* argument `arg` has none of the bits in value */
	FILTER_ELSEWHERE, /* the high half of argument 0 is not value */
};

struct filter_call {
	unsigned int nr;
	enum filter_test test;
	unsigned int arg;
	uint32_t value;
};

/* The addresses from..to-1 are the image's instructions. Their calls are allowed. */
struct filter_range {
	uint64_t from, to;
};

/*
 * si_errno of a SIGSYS from these filters. The program may have filters of its own; if two
 * filters trap a call, the signal has the data of the one that was installed last.
 */
#define FILTER_DATA 0x7368

/* In instructions and in calls. Enough for the largest table. */
#define FILTER_SIZE  640
#define FILTER_CALLS 64

/*
 * Builds a filter in program[FILTER_SIZE]. No number is twice in calls. Returns the filter's
 * length, or 0: it does not fit.
 */
unsigned int filter_build(struct sock_filter *program, const struct filter_call *calls,
			  size_t count, struct filter_range range);

/* Installs a filter for all threads of this process, for good. 0 or a negative errno. */
int filter_install(const struct sock_filter *program, unsigned int len);

#endif
