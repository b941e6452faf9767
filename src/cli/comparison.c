/* SPDX-License-Identifier: MIT */
#include "cli/comparison.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* ---- differences ---- */

bool comparison_agrees(const struct operation *one, const struct operation *other)
{
	if (!one || !other || one->count != other->count)
		return false;
	for (size_t i = 0; i < one->count; i++)
		if (strcmp(one->answers[i], other->answers[i]))
			return false;
	return true;
}

char *comparison_answers(const struct operation *operation)
{
	char *list = operation ? operation->answers[0] : "not made";

	for (size_t i = 1; operation && i < operation->count; i++)
		list = text("%s, then %s", list, operation->answers[i]);
	return list;
}

size_t comparison_each(const struct comparison *comparison, difference *what, void *arg)
{
	const struct side *first = &comparison->sides[0], *second = &comparison->sides[1];
	size_t asked = first->operation_count;

	for (size_t i = 0; i < first->operation_count; i++) {
		const struct operation *one = &first->operations[i];
		const struct operation *both[] = {one, side_find(second, one->question)};

		if (!comparison_agrees(both[0], both[1]))
			what(one->question, both, arg);
	}
	for (size_t i = 0; i < second->operation_count; i++) {
		const struct operation *other = &second->operations[i];
		const struct operation *both[] = {NULL, other};

		if (side_find(first, other->question))
			continue;
		asked++;
		what(other->question, both, arg);
	}
	return asked;
}

static void count_difference(const char *question, const struct operation *const operations[2],
			     void *arg)
{
	(void)question;
	(void)operations;
	++*(size_t *)arg;
}

bool comparison_same_status(const struct comparison *comparison)
{
	return comparison->sides[0].status == comparison->sides[1].status;
}

uint64_t comparison_lost(const struct comparison *comparison)
{
	return comparison->sides[0].lost + comparison->sides[1].lost;
}

size_t comparison_broken(const struct comparison *comparison)
{
	size_t moved = 0;

	for (int i = 0; i < 2; i++)
		if (!comparison->sides[i].way->needs_group)
			moved += comparison->sides[i].addresses.moved;
	return moved;
}

bool comparison_same(const struct comparison *comparison)
{
	return !comparison->different && comparison_same_status(comparison) &&
	       !comparison_broken(comparison) && !comparison_lost(comparison);
}

/* ---- the verdict ---- */

static char *moved_on(const struct addresses *addresses)
{
	if (!addresses->moved)
		return text("none");
	return text("%zu of %zu", addresses->moved, addresses->given);
}

/* Says how many addresses moved. */
static char *judge_addresses(const struct comparison *comparison)
{
	const struct side *first = &comparison->sides[0], *second = &comparison->sides[1];

	if (!first->addresses.given && !second->addresses.given)
		return text("no address was handed out");
	if (!first->addresses.moved && !second->addresses.moved)
		return text("no address moved");
	return text("moved: %s %s, %s %s", first->way->name, moved_on(&first->addresses),
		    second->way->name, moved_on(&second->addresses));
}

/* The verdict in one line. */
static char *judge(const struct comparison *comparison)
{
	uint64_t lost = comparison_lost(comparison);
	char *addresses = judge_addresses(comparison);
	char *rest = lost ? text("%s; %" PRIu64 " events lost", addresses, lost) : addresses;

	if (comparison->different)
		return text("Different results (%zu of %zu operations); %s.", comparison->different,
			    comparison->asked, rest);
	if (!comparison_same_status(comparison))
		return text("Different exit status (%zu operations); %s.", comparison->asked, rest);
	if (lost)
		return text("Same results in what was seen (%zu operations); %s.",
			    comparison->asked, rest);
	return text("Same results (%zu operations); %s.", comparison->asked, rest);
}

void comparison_judge(struct comparison *comparison)
{
	comparison->different = 0;
	comparison->asked = comparison_each(comparison, count_difference, &comparison->different);
	comparison->verdict = judge(comparison);
}

/* ---- the table ---- */

static struct cell time_cell(uint64_t ns)
{
	return (struct cell){ns ? text("%s", duration(ns)) : "-", (double)ns};
}

static struct cell count_cell(uint64_t count)
{
	return (struct cell){text("%" PRIu64, count), (double)count};
}

static struct cell bytes_cell(uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	int unit = 0;

	for (; value >= 1024 && unit < 3; unit++)
		value /= 1024;
	return (struct cell){
		text("%.*f %s", value == (double)(uint64_t)value ? 0 : 1, value, units[unit]),
		(double)bytes};
}

struct table {
	void (*row)(const struct row *row, void *arg);
	void *arg;
};

static void put(const struct table *table, const char *label, struct cell one, struct cell other,
		double whole)
{
	const struct row row = {label, {one, other}, whole};

	table->row(&row, table->arg);
}

/* Puts a row with bars. The greater cell has a full bar. */
static void put_bars(const struct table *table, const char *label, struct cell one,
		     struct cell other)
{
	put(table, label, one, other, one.value > other.value ? one.value : other.value);
}

static void put_times(const struct table *table, const char *label, uint64_t one, uint64_t other)
{
	put_bars(table, label, time_cell(one), time_cell(other));
}

static void put_counts(const struct table *table, const char *label, uint64_t one, uint64_t other)
{
	put(table, label, count_cell(one), count_cell(other), 0);
}

static void put_addresses(const struct table *table, const struct addresses *one,
			  const struct addresses *other)
{
	put_counts(table, "addresses handed out", one->given, other->given);
	put_counts(table, "  seen in memory", one->seen, other->seen);
	put(table, "  moved while in use", count_cell(one->moved), count_cell(other->moved),
	    (double)(one->seen > other->seen ? one->seen : other->seen));
}

void comparison_rows(const struct comparison *comparison,
		     void (*row)(const struct row *row, void *arg), void *arg)
{
	const struct side *one = &comparison->sides[0], *other = &comparison->sides[1];
	const struct table table = {row, arg};

	put_times(&table, "ran for", one->took, other->took);
	put_counts(&table, "exit status", (uint64_t)one->status, (uint64_t)other->status);
	put_counts(&table, "operations", one->asked, other->asked);
	put_times(&table, "set-up", one->setup, other->setup);
	put_counts(&table, "lookups", one->lookup_count, other->lookup_count);
	put_times(&table, "  median", side_lookup(one, 50), side_lookup(other, 50));
	put_times(&table, "  99th percentile", side_lookup(one, 99), side_lookup(other, 99));
	put_addresses(&table, &one->addresses, &other->addresses);
	put_bars(&table, "pinned", bytes_cell(one->pinned), bytes_cell(other->pinned));
	put(&table, "  by", (struct cell){one->backend ? one->backend : "-", 0},
	    (struct cell){other->backend ? other->backend : "-", 0}, 0);
	if (comparison_lost(comparison))
		put_counts(&table, "events lost", one->lost, other->lost);
}
