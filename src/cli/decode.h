/* SPDX-License-Identifier: MIT */
/* Events as text, with the names of calls, requests, structures and flags. */
#ifndef CLI_DECODE_H
#define CLI_DECODE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/trace.h"

/*
 * The caller frees all texts. None has a control character in it, whatever the
 * program has written into the ring.
 */

/* As strace shows it: ioctl(5, VFIO_GROUP_GET_STATUS, {argsz=8, flags=VIABLE}) */
char *decode_call(const struct trace_event *event);

/* A number, an address, the name of an errno, or the addresses of a lookup. */
char *decode_result(const struct trace_event *event);

/* "open", "ioctl", "lookup". */
const char *decode_verb(const struct trace_event *event);

/* The bytes of a transfer that are shown. */
#define DECODE_BYTES 8

/* Copies the runs of entries that the program got. Returns how many. */
#define DECODE_RUNS (TRACE_DATA / sizeof(struct trace_run) + 1)
size_t decode_runs(const struct trace_event *event, struct trace_run *runs);

/* The name of a backend: an enum state_backend, of this version or another. */
const char *decode_backend(uint64_t backend);

/* The name of an errno, which is positive. */
const char *decode_errno(int error);

/*
 * The operation of an event, and its answer, without what may differ from run to
 * run: descriptors, addresses, times. NULL: the event is not compared. If the
 * answer is a number without a meaning, such as a descriptor, only success counts.
 */
char *decode_question(const struct trace_event *event);
char *decode_answer(const struct trace_event *event);

/* An object with call, object, arguments, result or error, and the like. */
json_t *decode_json(const struct trace_event *event);

#endif
