/* SPDX-License-Identifier: MIT */
/*
 * Text from a format, without libc's stdio: %s, %d, %u, %x and %lx, %lu, %ld,
 * without widths. A negative errno is written by name with %e.
 *
 * Async-signal-safe.
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Into to[size], which is not empty, always ended by a NUL. Returns the length written. */
size_t format(char *to, size_t size, const char *format, ...);
size_t format_args(char *to, size_t size, const char *format, va_list args);

#endif
