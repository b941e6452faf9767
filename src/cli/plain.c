/* SPDX-License-Identifier: MIT */
#include "cli/plain.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

char *plain(const char *string, size_t len)
{
	char *copy = malloc(4 * len + 1), *to = copy;

	if (!copy)
		give_up("out of memory");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)string[i];

		if (c >= ' ' && c <= '~')
			*to++ = (char)c;
		else
			to += sprintf(to, "\\x%02x", c);
	}
	*to = '\0';
	return copy;
}

json_t *plain_json(const char *string, size_t len)
{
	json_t *json = json_stringn(string, len);
	char *copy;

	if (json)
		return json;
	copy = plain(string, len);
	json = json_string(copy);
	free(copy);
	if (!json)
		give_up("out of memory");
	return json;
}
