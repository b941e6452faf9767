/* SPDX-License-Identifier: MIT */
/*
 * One line per message, for whoever runs the host. A message says what
 * happened and what to do.
 *
 * The log goes to what was standard error when the library was loaded, as long
 * as descriptor 2 still is that file, and to nowhere else: whatever the host
 * puts under the number later is the host's own. The library keeps no duplicate
 * of it, for the reader of a pipe waits until every duplicate is closed. What
 * was neither a regular file, a pipe, a socket nor a terminal gets no log: a
 * write to a device may mean anything. NOIOMMU_SHIM_LOG_FILE takes its place;
 * the null device there switches the log off.
 *
 * A line harms nobody: it never waits for a reader, it raises no signal that
 * the host sees, and it is written without the lock and with the host's
 * signals open. A line that was said under the lock waits in memory until the
 * lock is left. What cannot be written is dropped and counted, and the next
 * line that can be is preceded by one that says how many were lost. Only the
 * disk of a regular file can keep a writer waiting, as nothing can tell.
 *
 * Async-signal-safe, with and without the lock.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/format.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* What is written. Set from the environment. */
extern enum log_level log_limit __attribute__((visibility("hidden")));

/*
 * The log begins: from now on it goes to what descriptor 2 refers to. Lines that
 * were said before are written then. Needs the lock.
 */
void log_start(void);

/*
 * It is appended to the regular file under path, which is made if it is not
 * there. The null device takes it and is not opened. 0, or a negative errno:
 * -EINVAL when it is neither, -ELOOP for a symbolic link. Needs the lock.
 */
int log_to_file(const char *path) __attribute__((warn_unused_result));

/* In the format of base/format.h. */
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) (log_limit >= LOG_DEBUG ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)

void log_line(enum log_level level, const char *format, ...);

#endif
