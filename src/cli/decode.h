/* SPDX-License-Identifier: MIT */
/* Events in people's words: the names of calls, requests, structures and flags. */
#ifndef CLI_DECODE_H
#define CLI_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/trace.h"

/*
 * All texts are the caller's to free; none has a control character in it,
 * whatever the program has written into the ring.
 */

/* As strace would: ioctl(5, VFIO_GROUP_GET_STATUS, {argsz=8, flags=VIABLE}) */
char *decode_call(const struct trace_event *event);

/* A number, an address, the name of an errno, or what was looked up. */
char *decode_result(const struct trace_event *event);

/* The name of what pins: an enum state_backend of this library or another. */
const char *decode_backend(uint64_t backend);

/* The name of an errno, which is positive. */
const char *decode_errno(int error);

/*
 * What a call asks, and what it was answered, without what may differ from run
 * to run: descriptors, addresses, times. NULL: nothing that can be compared.
 * Of an answer that is a number of no meaning, a descriptor say, nothing but
 * the success counts.
 */
char *decode_question(const struct trace_event *event);
char *decode_answer(const struct trace_event *event);

/* An object with call, object, arguments, result or error, and the like. */
json_t *decode_json(const struct trace_event *event);

#endif
