/* SPDX-License-Identifier: MIT */
/* The lines of a file of /proc. Needs the lock. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdbool.h>

/*
 * Calls what() with each line of the file open under fd until it returns true, which is
 * then the result. Closes fd; one below 0 has no lines.
 */
bool lines_each(int fd, bool what(const char *line, void *arg), void *arg);

#endif
