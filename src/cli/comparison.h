/* SPDX-License-Identifier: MIT */
/* Two runs side by side: what was different, and what that comes to. */
#ifndef CLI_COMPARISON_H
#define CLI_COMPARISON_H

#include "cli/side.h"

struct comparison {
	struct side sides[2];
	size_t asked;	  /* questions in either run */
	size_t different; /* of these, with other answers */
	char *verdict;
};

/* Of two runs that are over. */
void comparison_judge(struct comparison *comparison);

/* True when nothing was different or lost, and no address moved that is said to stay. */
bool comparison_same(const struct comparison *comparison);

/* Addresses stay on every way but the kernel's own groups. */
size_t comparison_broken(const struct comparison *comparison);

uint64_t comparison_lost(const struct comparison *comparison);
bool comparison_same_status(const struct comparison *comparison);

/* NULL: it was not asked there. */
typedef void difference(const char *question, const struct operation *const operations[2],
			void *arg);

/* Each question with other answers. Returns how many questions there were at all. */
size_t comparison_each(const struct comparison *comparison, difference *what, void *arg);

/* True when both were asked, and were answered alike. */
bool comparison_agrees(const struct operation *one, const struct operation *other);

/* What an operation was answered in a run: "done", or "EBUSY, then done". */
char *comparison_answers(const struct operation *operation);

struct cell {
	const char *text;
	double value;
};

/* A line of the table. A full bar is whole; 0: no bars. */
struct row {
	const char *label; /* two spaces in front: of what is above */
	struct cell cells[2];
	double whole;
};

void comparison_rows(const struct comparison *comparison,
		     void (*row)(const struct row *row, void *arg), void *arg);

/* To standard output. */
void comparison_print(const struct comparison *comparison);
void comparison_print_json(const struct comparison *comparison);

#endif
