/* SPDX-License-Identifier: MIT */
/* The reader's side of the ring that include/shim/trace.h describes. */
#ifndef CLI_RING_H
#define CLI_RING_H

#include <stdbool.h>

#include "shim/trace.h"

struct ring {
	struct trace_ring *shared;
	int fd;	       /* of the memory, which has no name */
	uint64_t next; /* position to be read */
	uint64_t given_up;
	uint64_t waiting_since; /* for the writer of next, or for sound numbers; 0: for nothing */
	bool damaged;		/* a program has overwritten it: nothing more is read */
};

/*
 * How long, in ns, a writer may take to complete its event, and the numbers of the
 * ring may contradict each other.
 */
#define RING_PATIENCE UINT64_C(1000000000)

/* 0 or a negative errno. */
int ring_make(struct ring *ring);
void ring_free(struct ring *ring);

/* The value of NOIOMMU_SHIM_TRACE for this ring. */
const char *ring_path(const struct ring *ring);

/*
 * Copies the next event, oldest first. Returns false if there is none now. now:
 * CLOCK_MONOTONIC in ns. over: no writer is left to wait for. Only the length of the
 * event is checked; everything else in it may be anything.
 */
bool ring_next(struct ring *ring, struct trace_event *event, uint64_t now, bool over);

/* Events that were dropped because nobody read in time, or that their writers never completed. */
uint64_t ring_lost(const struct ring *ring);

#endif
