/* SPDX-License-Identifier: MIT */
/*
 * One line per message, by a raw write(2): the host's stdio is the host's.
 *
 * A message says what happened and what to do. Async-signal-safe.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/hidden.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Set from the environment: what is written, and where to (none: descriptor 2). */
extern enum log_level log_limit __attribute__((visibility("hidden")));
extern struct hidden log_file;

/*
 * The formats are %s, %d, %u, %x and %lx, %lu, %ld, without widths. A negative errno
 * is written by name with %e.
 */
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) (log_limit >= LOG_DEBUG ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)

void log_line(enum log_level level, const char *format, ...);

/* The same format into to[size], always ended by a NUL. Returns the length written. */
size_t format(char *to, size_t size, const char *format, ...);

#endif
