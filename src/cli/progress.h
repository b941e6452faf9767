/* SPDX-License-Identifier: MIT */
/*
 * One line on standard error that says what takes so long. It is renewed in place, and
 * gone at the end. Where standard error is not a terminal there is none.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

/* Shows a line in place of the last one. It is cut to the width of the terminal. */
__attribute__((format(printf, 1, 2))) void progress(const char *format, ...);

/* Erases the line. Whatever else is written to standard error needs this before. */
void progress_end(void);

#endif
