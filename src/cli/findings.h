/* SPDX-License-Identifier: MIT */
/* What `check` found: a list that is printed as a table or as JSON. */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum finding_state {
	FINDING_OK,
	FINDING_NOTE,	 /* nothing stands in the way, but it is good to know */
	FINDING_UNTOLD,	 /* the machine does not tell */
	FINDING_MISSING, /* not ready */
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

/* One more line below the last finding: a detail, or what mends it. */
__attribute__((format(printf, 2, 3))) void finding_detail(struct findings *findings,
							  const char *format, ...);
__attribute__((format(printf, 2, 3))) void finding_mend(struct findings *findings,
							const char *format, ...);

/* To standard output; colours only on a terminal. */
void findings_print(const struct findings *findings);

/* An array of objects: name, state, what, mend. Details are left out. */
json_t *findings_json(const struct findings *findings);

#endif
