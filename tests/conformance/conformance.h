/* SPDX-License-Identifier: MIT */
/*
 * Calls every symbol that the library stands in front of, on objects that do
 * not concern it, and writes down what happens. The output must be the same
 * with the library and without: run compares.
 *
 * A case for each symbol of src/preload/symbols.def is called case_SYMBOL; one
 * that is missing does not link. It runs in a process and a directory of its
 * own, see populate().
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "preload/next.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the dynamic linker finds: the library's function, or libc's. */
extern struct next the;

#define SYM(type, name, params) void case_##name(void);
#include "preload/symbols.def"
#undef SYM

#define CASE(name) void case_##name(void)

/* What happens otherwise: each in a process of its own, too. */
struct scenario {
	const char *name;
	void (*run)(void);
};
extern const struct scenario scenarios[];
void small_stacks(void);
void filters(void);
void own_sigsys(void);
void masks(void);
void blocked_sigsys(void);
void left_by_jumps(void);
void alternate_stack(void);
void on_another_stack(void);
void executed(void);
void registers(void);
void cloned(void);

#ifdef __GLIBC__
#define LIBC "libc.so.6"
#else
#define LIBC "libc.so"
#endif

/* An errno that no call sets, so that one which sets none is seen. */
#define UNTOUCHED 333

#define BAD ((void *)8) /* no memory is there */

/* Makes the call, writes its text, its value and errno, and has the value. */
#define CALL(call)                                                                                 \
	({                                                                                         \
		__typeof__(call) ret_;                                                             \
		errno = UNTOUCHED;                                                                 \
		ret_ = (call);                                                                     \
		say(#call, (long)ret_, errno);                                                     \
		ret_;                                                                              \
	})

/* The same of a pointer, of which only is told whether it is what failure looks like. */
#define CALL_POINTER(call, failed)                                                                 \
	({                                                                                         \
		__typeof__(call) ret_;                                                             \
		errno = UNTOUCHED;                                                                 \
		ret_ = (call);                                                                     \
		say(#call, ret_ == (failed), errno);                                               \
		ret_;                                                                              \
	})

void say(const char *what, long value, int error);

/* Writes a line of the output. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);

/* What can be asked of a descriptor: flags, position, size. Closes it. */
void tell_and_close(int fd);

/* Bytes as they can be read. */
void tell_bytes(const void *bytes, long len);

/* Names to be used with any call that takes one, ended by NULL; two are no strings. */
extern const char *const paths[];

/* A name as it is written down. */
const char *shown(const char *path);

/* A descriptor of the file "file", opened by a system call and at position 0. */
int own_file(int flags);

#endif
