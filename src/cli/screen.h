/* SPDX-License-Identifier: MIT */
/*
 * A whole terminal to draw on again and again, for a person who looks on. It is
 * what it was before as soon as that ends, by whatever signal but SIGKILL.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* True when standard output is a terminal that can be drawn on. */
bool screen_there(void);

void screen_begin(void);

/* In place of what was shown before. Lines that do not fit are cut. */
void screen_show(const char *text);

/*
 * Waits, but not longer than this, for somebody to ask for the end: q or SIGINT,
 * which Ctrl-C sends. False: somebody did. A signal that ends a program ends
 * this one, with the terminal restored.
 */
bool screen_wait(unsigned int ms);

/* Does nothing where none has begun. */
void screen_end(void);

/* In characters. */
size_t screen_columns(void);

/* True when the locale has the characters that bars are made of. */
bool screen_has_blocks(void);

#endif
