/* SPDX-License-Identifier: MIT */
/*
 * The log: one line per message, for the administrator. A message says what happened and
 * what to do about it.
 *
 * It goes to the file that was standard error when the library was loaded, while
 * descriptor 2 still refers to it. A file that the program opens as descriptor 2 later
 * gets no log. The library keeps no duplicate of descriptor 2, as the reader of a pipe
 * waits until every duplicate is closed. Only a regular file, pipe, socket or terminal is
 * written to: a write to any other device can have effects. NOIOMMU_SHIM_LOG_FILE
 * replaces standard error; the null device there turns the log off.
 *
 * Logging never waits for a reader, and raises no signal that the program sees. Lines are
 * written without the lock and with the program's signals unblocked; a line that is
 * logged under the lock is queued until the lock is left. A line that cannot be written
 * is dropped and counted, and the next line that can be is preceded by one with that
 * count. Only the disk of a regular file can block a writer: the kernel offers no way to
 * find out before.
 *
 * Async-signal-safe, with and without the lock.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/format.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* The highest level that is written. Set from the environment. */
extern enum log_level log_limit __attribute__((visibility("hidden")));

/*
 * Starts the log, on the file that descriptor 2 refers to now. Lines from before are
 * written then. Needs the lock.
 */
void log_start(void);

/*
 * Appends the log to the regular file at path, which is created if it does not exist. The
 * null device is accepted and not opened. 0 or a negative errno: -EINVAL for any other
 * file, -ELOOP for a symbolic link. Needs the lock.
 */
int log_to_file(const char *path) __attribute__((warn_unused_result));

/* The format is that of base/format.h. */
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) (log_limit >= LOG_DEBUG ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)

void log_line(enum log_level level, const char *format, ...);

#endif
