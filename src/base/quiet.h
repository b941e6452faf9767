/* SPDX-License-Identifier: MIT */
/*
 * Writes that may raise a signal of their own: SIGPIPE, SIGXFSZ and SIGTTOU.
 * What the library writes by itself is no reason for the host to get one, so
 * they are blocked meanwhile, and what the write raised is taken back.
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
	uint64_t pending; /* what waited before */
};

struct quiet quiet_begin(void);

/* ret is what the write in between came to: a value or a negative errno. */
void quiet_end(struct quiet quiet, long ret);

/* write(2), as sys_write(). */
ssize_t quiet_write(int fd, const void *buf, size_t len) __attribute__((warn_unused_result));

#endif
