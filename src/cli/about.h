/* SPDX-License-Identifier: MIT */
/* What ran, where and when: what somebody who was not there has to know of a run. */
#ifndef CLI_ABOUT_H
#define CLI_ABOUT_H

#include <jansson.h>

#include "cli/launch.h"

/* An object of strings, and of arrays of strings; all are of printable ASCII. */
json_t *about(const struct launch *launch);

/* The members that there can be, in the order in which they are told. */
struct about_member {
	const char *name;
	const char *title;
};
extern const struct about_member about_members[];

/* All of a member, with this between strings of an array; "": there is no such member. */
char *about_text(const json_t *about, const char *name, const char *between);

#endif
