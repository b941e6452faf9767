/* SPDX-License-Identifier: MIT */
/*
 * Text from elsewhere, made safe to print: paths, names, the first line of a
 * script, data of a traced program. It may contain anything.
 */
#ifndef CLI_PLAIN_H
#define CLI_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/*
 * Returns the text with \xNN for every byte that is not printable ASCII, so a
 * terminal obeys nothing in it. The caller frees it.
 */
char *plain(const char *string, size_t len);

/* Returns the text unchanged if it is UTF-8, else as plain() does. Never NULL. */
json_t *plain_json(const char *string, size_t len);

#endif
