/* SPDX-License-Identifier: MIT */
/*
 * Text that others made, for people and for programs: paths, names, the first
 * line of a script, what a traced program wrote. It may have anything in it.
 */
#ifndef CLI_PLAIN_H
#define CLI_PLAIN_H

#include <jansson.h>
#include <stddef.h>

/*
 * The text with \xNN for every byte that is no printable ASCII, so that a
 * terminal obeys none of it. The caller's to free.
 */
char *plain(const char *string, size_t len);

/* The text as it is, if it is UTF-8; else as plain() has it. Never NULL. */
json_t *plain_json(const char *string, size_t len);

#endif
