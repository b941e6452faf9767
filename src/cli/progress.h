/* SPDX-License-Identifier: MIT */
/*
 * One line that says what takes so long, in the last row of the terminal that is standard
 * error. It is renewed in place, and gone at the end. Other output scrolls above it.
 * Where standard error is not a terminal there is no line.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

/* Shows a line in place of the last one. It is cut to the width of the terminal. */
__attribute__((format(printf, 1, 2))) void progress(const char *format, ...);

/*
 * Erases the line, and gives the row back. A signal that ends or stops the command while
 * there is a line does so, too, unless the command has a handler of its own for it.
 */
void progress_end(void);

#endif
