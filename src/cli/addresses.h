/* SPDX-License-Identifier: MIT */
/*
 * The physical addresses that processes were given, and whether they hold:
 * seen from outside, in /proc/PID/pagemap, which takes CAP_SYS_ADMIN.
 *
 * An address is in use from the lookup that told it until its process looks
 * the page up anew, gives the memory back, or begins another program.
 */
#ifndef CLI_ADDRESSES_H
#define CLI_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/track.h"
#include "shim/trace.h"

struct address {
	int32_t pid;
	bool seen;
	bool suspect; /* another page was there at the last look */
	bool moved;
	bool lost;	/* it was so at two looks in a row */
	uint16_t track; /* 0: none */
	uint64_t page;	/* number of the virtual page */
	uint64_t frame;
	uint64_t since; /* CLOCK_MONOTONIC in ns */
};

/* Of 16 GiB in base pages: a program that goes wrong must not take all memory here. */
#define ADDRESSES_MOST ((size_t)1 << 22)

struct addresses {
	struct address *list; /* those in use, sorted by process and page */
	size_t count, room;
	size_t given;	 /* also those that the list has no room for */
	size_t seen;	 /* of these, how many were found in memory once at least */
	size_t moved;	 /* of these, how many were another page's, at two looks in a row */
	uint64_t looked; /* when they were looked at last */
	struct tracks tracks;
};

/* Takes note of a lookup, a release or a start. Returns how many addresses went out of use. */
size_t addresses_take(struct addresses *addresses, const struct trace_event *event);

/* Compares those in use with where the memory is now, CLOCK_MONOTONIC in ns. */
void addresses_look(struct addresses *addresses, uint64_t now);

/* Those in use; the numbers and the tracks stay. */
void addresses_free(struct addresses *addresses);

#endif
