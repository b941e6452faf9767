/* SPDX-License-Identifier: MIT */
/* A comparison as text and as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/about.h"
#include "cli/cli.h"
#include "cli/comparison.h"
#include "cli/wrap.h"

/* ---- for people ---- */

#define BAR 14

/* A bar for value, where whole has a full one. "" if there is nothing to draw. */
static const char *bar(double value, double whole, char *to)
{
	int len = value > 0 && whole > 0 ? (int)(value / whole * BAR + 0.5) : 0;

	if (value > 0 && whole > 0 && !len)
		len = 1;
	if (len > BAR)
		len = BAR;
	memset(to, '#', (size_t)len);
	to[len] = '\0';
	return to;
}

static void print_row(const struct row *row, void *arg)
{
	const struct cell *one = &row->cells[0], *other = &row->cells[1];
	char bars[2][BAR + 1];
	char *line = text("%-25s%9s %-*s %10s %s", row->label, one->text, BAR,
			  bar(one->value, row->whole, bars[0]), other->text,
			  bar(other->value, row->whole, bars[1]));
	size_t len = strlen(line);

	(void)arg;
	while (len && line[len - 1] == ' ')
		len--;
	printf("%.*s\n", (int)len, line);
	free(line);
}

static void print_difference(const char *question, const struct operation *const operations[2],
			     void *arg)
{
	const struct comparison *comparison = arg;

	puts(question);
	for (int i = 0; i < 2; i++) {
		const char *title = comparison->sides[i].way->title;

		printf("  %s:%*s %s\n", title, (int)(10 - strlen(title)), "",
		       comparison_answers(operations[i]));
	}
}

static void print_recorded(const struct side *side)
{
	if (side->recorded)
		printf("%s: recorded on %s, Linux %s\n", side->way->title,
		       about_text(side->about, "host", ""), about_release(side->about));
}

void comparison_print(const struct comparison *comparison)
{
	const struct side *sides = comparison->sides;

	printf("%-25s%s %*s\n", "", sides[0].way->title, BAR + 10, sides[1].way->title);
	comparison_rows(comparison, print_row, NULL);
	putchar('\n');
	for (int i = 0; i < 2; i++)
		print_recorded(&sides[i]);
	if (sides[0].recorded || sides[1].recorded)
		putchar('\n');
	comparison_each(comparison, print_difference, (void *)comparison);
	if (comparison->different)
		putchar('\n');
	if (wrap_width())
		wrap(comparison->verdict, 0, wrap_width());
	else
		puts(comparison->verdict);
}

/* ---- JSON ---- */

static json_t *side_json(const struct side *side)
{
	const struct addresses *addresses = &side->addresses;

	return json_pack("{s:I, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:I, "
			 "s:s, s:b, s:O}",
			 "took_ns", (json_int_t)side->took, "status", side->status, "killed",
			 side->killed, "operations", (json_int_t)side->asked, "setup_ns",
			 (json_int_t)side->setup, "lookups", (json_int_t)side->lookup_count,
			 "lookup_median_ns", (json_int_t)side_lookup(side, 50),
			 "lookup_99th_percentile_ns", (json_int_t)side_lookup(side, 99), "given",
			 (json_int_t)addresses->given, "seen", (json_int_t)addresses->seen, "moved",
			 (json_int_t)addresses->moved, "pinned_bytes", (json_int_t)side->pinned,
			 "backend", side->backend, "lost", (json_int_t)side->lost, "way",
			 side->way->name, "recorded", side->recorded, "about", side->about);
}

/* Two runs in the same way have different keys. */
static const char *key(const struct comparison *comparison, int i)
{
	const struct side *sides = comparison->sides;

	return i && sides[0].way == sides[1].way ? "second" : sides[i].way->name;
}

static json_t *answers_json(const struct operation *operation)
{
	json_t *array = json_array();

	for (size_t i = 0; operation && i < operation->count; i++)
		json_array_append_new(array, json_string(operation->answers[i]));
	return array;
}

struct differences {
	const struct comparison *comparison;
	json_t *array;
};

static void add_difference(const char *question, const struct operation *const operations[2],
			   void *arg)
{
	const struct differences *differences = arg;
	json_t *object = json_pack("{s:s}", "operation", question);

	for (int i = 0; i < 2; i++)
		json_object_set_new(object, key(differences->comparison, i),
				    answers_json(operations[i]));
	json_array_append_new(differences->array, object);
}

void comparison_print_json(const struct comparison *comparison)
{
	struct differences differences = {comparison, json_array()};
	json_t *object;

	comparison_each(comparison, add_difference, &differences);
	object = json_pack("{s:b, s:s, s:I, s:o}", "same", comparison_same(comparison), "verdict",
			   comparison->verdict, "operations", (json_int_t)comparison->asked,
			   "differences", differences.array);
	for (int i = 0; i < 2; i++)
		json_object_set_new(object, key(comparison, i), side_json(&comparison->sides[i]));
	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(object);
}
