/* SPDX-License-Identifier: MIT */
/*
 * Trace points: one call for each event that a tracer may want to see. Without a tracer a
 * point costs a load and a branch. Some points are static probes as well, and are
 * counted.
 *
 * Async-signal-safe, needs no lock, leaves errno alone. Addresses and lengths are in
 * bytes, times in nanoseconds.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attention.h"
#include "base/probe.h"
#include "base/state.h"
#include "shim/trace.h"

/* True while a trace is being written. */
static inline bool event_wanted(void)
{
	return __builtin_expect(attention_get() & ATTENTION_TRACE, 0);
}

/* The start time of an operation to be traced; 0 while there is no tracer. */
uint64_t event_now(void);
static inline uint64_t event_start(void)
{
	return event_wanted() ? event_now() : 0;
}

/*
 * Maps the ring in the file at path, which is shared with the reader, and starts to write
 * to it. 0 or a negative errno; -EPROTO when the file is not a ring of this version.
 */
int event_open(const char *path);

/* Copies text into event's data, truncated to the room there. */
void event_set_text(struct trace_event *event, const char *text);

/*
 * Writes one event. The caller fills in kind, time (0: now) and the members for this
 * kind; this function sets took and the writer's ids.
 */
void event_put(struct trace_event *event);

/*
 * A read returned n pagemap entries, from the page at va on. changed counts those that
 * differ from the kernel's.
 */
void event_put_lookup(uint64_t start, int fd, uint64_t va, const uint64_t *entries, size_t n,
		      size_t changed, int ret);
static inline void event_lookup(uint64_t start, int fd, uint64_t va, const uint64_t *entries,
				size_t n, size_t changed, int ret)
{
	probe(lookup, va, n, ret);
	if (ret)
		state_count(failures, 1);
	else
		state_count(lookups, 1);
	if (event_wanted())
		event_put_lookup(start, fd, va, entries, n, changed, ret);
}

/* Pages of page_size bytes were pinned, or could not be; pages were unpinned. */
void event_pin(uint64_t va, uint64_t len, uint64_t page_size, int ret);
void event_unpin(uint64_t va, uint64_t len);

/* All pins were handed to what pins now. */
void event_renew(uint64_t pins);

/* A device was bound and attached; lending: only to lend its page table (iommufd/lend.h). */
void event_attach(const char *name, bool lending, int ret);

/* The cdev path is not used: the kernel's group path is (ret 0), or the open is refused. */
void event_fallback(const char *why, int ret);

/* The library cannot keep memory pinned, or the like; va may be 0. */
void event_failure(const char *what, uint64_t va, int error);

#endif
