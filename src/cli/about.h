/* SPDX-License-Identifier: MIT */
/* What ran, where and when, for a reader who was not there. */
#ifndef CLI_ABOUT_H
#define CLI_ABOUT_H

#include <jansson.h>

#include "cli/launch.h"

/* Returns an object of strings and arrays of strings, all of printable ASCII. */
json_t *about(const struct launch *launch);

/* All possible members, in the order in which they are shown. */
struct about_member {
	const char *name;
	const char *title;
};
extern const struct about_member about_members[];

/*
 * Returns the text of a member, with this between the strings of an array; "" if there is
 * no such member. The caller frees it.
 */
char *about_text(const json_t *about, const char *name, const char *between);

/* Returns the kernel's release, without the rest of its name. The caller frees it. */
char *about_release(const json_t *about);

#endif
