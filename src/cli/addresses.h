/* SPDX-License-Identifier: MIT */
/*
 * The physical addresses that processes looked up, and whether they still hold.
 * The command compares them with /proc/PID/pagemap, which needs CAP_SYS_ADMIN.
 *
 * An address is in use from its lookup until the process looks the page up again,
 * frees the memory, or executes another program.
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

/* Enough for 16 GiB in base pages. A faulty program must not use up this command's memory. */
#define ADDRESSES_MOST ((size_t)1 << 22)

struct addresses {
	struct address *list; /* those in use, sorted by process and page */
	size_t count, room;
	size_t given;	 /* also those that the list has no room for */
	size_t seen;	 /* of these, how many were found in memory at least once */
	size_t moved;	 /* of these, how many were another page's at two looks in a row */
	uint64_t looked; /* time of the last look */
	struct tracks tracks;
};

/* Records a lookup, a release or a start. Returns how many addresses are no longer in use. */
size_t addresses_take(struct addresses *addresses, const struct trace_event *event);

/* Compares the addresses in use with the pagemaps. now: CLOCK_MONOTONIC in ns. */
void addresses_look(struct addresses *addresses, uint64_t now);

/* Frees the list of addresses in use. The numbers and the tracks stay. */
void addresses_free(struct addresses *addresses);

#endif
