/* SPDX-License-Identifier: MIT */
/* Two runs side by side: their differences, and the verdict. */
#ifndef CLI_COMPARISON_H
#define CLI_COMPARISON_H

#include "cli/side.h"

struct comparison {
	struct side sides[2];
	size_t asked;	  /* different operations in both runs */
	size_t different; /* of these, those with different answers */
	char *verdict;
};

/* Compares two runs that have ended. */
void comparison_judge(struct comparison *comparison);

/* True if nothing was different or lost, and no address moved that has to stay. */
bool comparison_same(const struct comparison *comparison);

/* Counts the addresses that moved on a way that pins them: any but the group path. */
size_t comparison_broken(const struct comparison *comparison);

uint64_t comparison_lost(const struct comparison *comparison);
bool comparison_same_status(const struct comparison *comparison);

/* operations[i] is NULL if run i did not make the operation. */
typedef void difference(const char *question, const struct operation *const operations[2],
			void *arg);

/* Calls what() for each operation with different answers. Returns how many there are in all. */
size_t comparison_each(const struct comparison *comparison, difference *what, void *arg);

/* True if both runs made the operation and got the same answers. */
bool comparison_agrees(const struct operation *one, const struct operation *other);

/* The answers of an operation in a run: "done", or "EBUSY, then done". */
char *comparison_answers(const struct operation *operation);

struct cell {
	const char *text;
	double value;
};

/* A line of the table. A full bar stands for whole; 0: no bars. */
struct row {
	const char *label; /* begins with two spaces if it belongs to the line above */
	struct cell cells[2];
	double whole;
};

void comparison_rows(const struct comparison *comparison,
		     void (*row)(const struct row *row, void *arg), void *arg);

/* Print to standard output. */
void comparison_print(const struct comparison *comparison);
void comparison_print_json(const struct comparison *comparison);

#endif
