/* SPDX-License-Identifier: MIT */
/* What `check` found: a list that is printed as a table or as JSON. */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum finding_state {
	FINDING_OK,
	FINDING_NOTE,	 /* the library can work, but it is good to know */
	FINDING_UNTOLD,	 /* the machine does not tell */
	FINDING_MISSING, /* not ready, or not for the cdev path */
};

struct finding_line {
	char *text;
	bool mends; /* else it is a detail */
};

struct finding {
	const char *name;
	enum finding_state state;
	char *what;
	struct finding_line *lines; /* below it */
	size_t count;
};

struct findings {
	struct finding list[32];
	size_t count;
	size_t missing;
};

__attribute__((format(printf, 4, 5))) void finding(struct findings *findings, const char *name,
						   enum finding_state state, const char *format,
						   ...);

/* Add a line below the last finding: a detail, or a remedy. */
__attribute__((format(printf, 2, 3))) void finding_detail(struct findings *findings,
							  const char *format, ...);
__attribute__((format(printf, 2, 3))) void finding_mend(struct findings *findings,
							const char *format, ...);

/* Prints to standard output, with colours only on a terminal. */
void findings_print(const struct findings *findings, bool ready);

/* An array of objects with name, state, what and mend, without details. */
json_t *findings_json(const struct findings *findings);

#endif
