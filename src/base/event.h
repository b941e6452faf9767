/* SPDX-License-Identifier: MIT */
/*
 * The points at which something happens that somebody outside may look at, a
 * call for each. While nobody looks a point costs a load and a branch; some
 * are static probes, too, and are counted.
 *
 * Async-signal-safe, without the lock, and errno stays as it is. Addresses and
 * lengths are in bytes, times in nanoseconds.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attention.h"
#include "base/probe.h"
#include "base/state.h"
#include "shim/trace.h"

/* True while a trace is written. */
static inline bool event_wanted(void)
{
	return __builtin_expect(attention_get() & ATTENTION_TRACE, 0);
}

/* When something that is to be told begins; 0 while nobody looks. */
uint64_t event_now(void);
static inline uint64_t event_start(void)
{
	return event_wanted() ? event_now() : 0;
}

/*
 * Writes into the ring under path, which is shared with the reader, from now
 * on. 0 or a negative errno: -EPROTO when it is no ring that this library knows.
 */
int event_open(const char *path);

/* Puts text, which may be longer than there is room for, into event's data. */
void event_set_text(struct trace_event *event, const char *text);

/*
 * Writes one event, of which the caller has filled in kind, time (0: now) and
 * what the kind has; took and the writer's ids are found here.
 */
void event_put(struct trace_event *event);

/* n pagemap entries for the pages from va on are given out, of which changed are not the kernel's.
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

/* Pages of page_size bytes were pinned, or could not be; were unpinned. */
void event_pin(uint64_t va, uint64_t len, uint64_t page_size, int ret);
void event_unpin(uint64_t va, uint64_t len);

/* A device was bound and attached, or only lent its page table. */
void event_attach(const char *name, bool lending, int ret);

/* The cdev path is not taken: the group path is (0), or the open is refused. */
void event_fallback(const char *why, int ret);

/* The promise about memory cannot be kept, or something like it; va may be 0. */
void event_failure(const char *what, uint64_t va, int error);

#endif
