/* SPDX-License-Identifier: MIT */
/* Tables of the names in the interfaces of VFIO and iommufd. */
#ifndef CLI_REQUESTS_H
#define CLI_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/trace.h"

/* An array of these ends with one that has no name. */
struct name {
	uint64_t value;
	const char *name;
};

/* The name of value, or NULL. */
const char *name_of(const struct name *names, uint64_t value);

extern const struct name names_errnos[], names_objects[], names_open_flags[], names_protections[],
	names_regions[], names_backends[], names_verbs[];

enum form {
	DECIMAL,
	HEX,
	FLAGS,
	NAMED,
};

/* How a comparison of two runs uses a member. */
enum role {
	ANSWERED,
	ASKED,
	APART, /* not compared: an address, a descriptor, or a size without a meaning */
};

/* One member of a structure. */
struct member {
	const char *name;
	uint8_t offset, size;
	enum form form;
	enum role role;
	const struct name *names;
};

/* False if the part of the structure that was copied ends before the member does. */
bool member_get(const struct trace_event *event, const struct member *member, uint64_t *value);

enum argument { NOTHING, VALUE, INTEGER, STRING, STRUCTURE };

struct request {
	unsigned int cmd;
	enum trace_object object; /* TRACE_OTHER: any */
	const char *name;
	enum argument argument;
	const struct name *names; /* of a VALUE */
	const struct member *members;
	bool makes_fd;
};

/* Returns the description of an ioctl, or NULL if it is unknown. */
const struct request *request_find(const struct trace_event *event);

#endif
