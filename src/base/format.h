/* SPDX-License-Identifier: MIT */
/*
 * Formatted text without libc's stdio: %s, %d, %u, %x, %lx, %lu and %ld, without widths.
 * %e writes the name of an errno, negative or not.
 *
 * Async-signal-safe.
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes to to[size], with a terminating NUL; size is at least 1. Returns the length written. */
size_t format(char *to, size_t size, const char *format, ...);
size_t format_args(char *to, size_t size, const char *format, va_list args);

#endif
