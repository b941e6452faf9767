/* SPDX-License-Identifier: MIT */
/* Words that are broken at spaces, to fit the terminal that is standard output. */
#ifndef CLI_WRAP_H
#define CLI_WRAP_H

/* The width of that terminal in columns. 0: standard output is no terminal. */
int wrap_width(void);

/*
 * Prints words, and a newline. The cursor is in column indent, where further lines begin,
 * too. A word that is too long is not broken.
 */
void wrap(const char *words, int indent, int width);

#endif
