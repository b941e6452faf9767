/* SPDX-License-Identifier: MIT */
/* The frame of an HTML page, and the escaping of text from elsewhere. */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include <stdio.h>

/*
 * Escapes text for HTML and XML, for an element or an attribute's value. A byte
 * that is not printable ASCII becomes \xNN, so no text can change the direction or
 * the look of the text around it. The result is valid until the command ends.
 */
const char *html(const char *text);

/* Write the beginning of a page, up to the end of its head, and the end of a page. */
void html_begin(FILE *to, const char *title);
void html_end(FILE *to);

#endif
