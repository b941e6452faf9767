/* SPDX-License-Identifier: MIT */
/* Reads a file of /proc line by line. Needs the lock. */
#ifndef BASE_LINES_H
#define BASE_LINES_H

#include <stdbool.h>

/*
 * Calls what() with each line of the file open under fd until it returns true. Returns
 * whether it did. Lines of more than 4095 bytes are cut. Closes fd; a negative fd has no
 * lines.
 */
bool lines_each(int fd, bool what(const char *line, void *arg), void *arg);

#endif
