/* SPDX-License-Identifier: MIT */
/*
 * Writes that do not deliver SIGPIPE, SIGXFSZ or SIGTTOU to the program. The signals are
 * blocked during the write, and one that the write raised is consumed.
 *
 * Async-signal-safe.
 */
#ifndef BASE_QUIET_H
#define BASE_QUIET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct quiet {
	uint64_t mask;	  /* the thread's own */
	uint64_t pending; /* signals pending before */
};

struct quiet quiet_begin(void);

/* ret is the result of the write in between: a value or a negative errno. */
void quiet_end(struct quiet quiet, long ret);

/* write(2), as sys_write(). */
ssize_t quiet_write(int fd, const void *buf, size_t len) __attribute__((warn_unused_result));

#endif
