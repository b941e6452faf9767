/* SPDX-License-Identifier: MIT */
/* One run of a program, observed through a ring of events. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/launch.h"
#include "cli/ring.h"

struct session {
	/* What the caller chooses. */
	const struct launch *launch;
	const char *mode;    /* NOIOMMU_SHIM_MODE; NULL: as it is */
	const char *backend; /* NOIOMMU_SHIM_BACKEND; NULL: as it is */
	bool alone;	     /* no standard input, and standard output goes to standard error */
	uint64_t limit;	     /* ns after which it gets SIGINT; 0: none */
	uint64_t look_each;  /* ns between calls of look() */

	/* Called for each event, in the order in which they were completed. */
	void (*event)(struct session *session, const struct trace_event *event);
	/* Called every look_each ns, and just before the SIGINT of limit. May be NULL. */
	void (*look)(struct session *session);

	/* The results. */
	struct ring ring;
	pid_t pid;
	uint64_t begin; /* CLOCK_MONOTONIC in ns */
	int status;	/* of waitpid() */
	uint64_t lost;	/* events */
	bool damaged;	/* a program has overwritten the ring: later events are missing */
	bool stopped;	/* by the limit */
	bool killed;	/* because SIGINT did not end it */
	int aborted;	/* the signal by which the command itself was asked to end, or 0 */
};

/*
 * Runs the program to its end. While it runs the command's own SIGINT, SIGTERM,
 * SIGQUIT and SIGHUP go to the program, unless a terminal sent them to both.
 */
void session_run(struct session *session);

/* Reads the events that are in the ring now. For use in look(). */
void session_catch_up(struct session *session);

/* The exit status that a shell would show. */
int session_exit_status(const struct session *session);

/* CLOCK_MONOTONIC in ns. */
uint64_t session_now(void);

#endif
