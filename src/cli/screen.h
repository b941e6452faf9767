/* SPDX-License-Identifier: MIT */
/*
 * Draws on the whole terminal again and again. The terminal is restored at the end,
 * and by every signal but SIGKILL.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* True if standard output is a terminal that can be drawn on. */
bool screen_there(void);

void screen_begin(void);

/* Shows text in place of the previous text. Cuts lines that do not fit. */
void screen_show(const char *text);

/*
 * Waits at most this long for q or SIGINT, which Ctrl-C sends. Returns false if one
 * of them came. A signal that ends a program restores the terminal and ends this one.
 */
bool screen_wait(unsigned int ms);

/* Does nothing before screen_begin(). */
void screen_end(void);

/* The width in characters. */
size_t screen_columns(void);

/* True if the locale has the block characters of bars. */
bool screen_has_blocks(void);

#endif
