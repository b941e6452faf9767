/* SPDX-License-Identifier: MIT */
/* What a page that others read has to have around text that others made. */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include <stdio.h>

/*
 * The text as HTML and XML have it, in an element or in an attribute's value. A
 * byte that is no printable ASCII becomes \xNN: no text can change the direction
 * or the look of what stands around it. Good until the command ends.
 */
const char *html(const char *text);

/* The beginning of a page, to the end of its head; and its end. */
void html_begin(FILE *to, const char *title);
void html_end(FILE *to);

#endif
