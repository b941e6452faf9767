/* SPDX-License-Identifier: MIT */
#include "cli/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/page.h"
#include "cli/about.h"
#include "cli/cli.h"
#include "cli/plain.h"

#define RECORD_VERSION 1

/* This many times of lookups show their distribution. */
#define MOST_TIMES 4096

/* ---- writing ---- */

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *hex(uint64_t value)
{
	char digits[32];

	snprintf(digits, sizeof(digits), "0x%" PRIx64, value);
	return json_string(digits);
}

static json_t *operations_json(const struct side *side)
{
	json_t *array = json_array();

	for (size_t i = 0; i < side->operation_count; i++) {
		const struct operation *operation = &side->operations[i];
		json_t *answers = json_array();

		for (size_t answer = 0; answer < operation->count; answer++)
			json_array_append_new(answers, json_string(operation->answers[answer]));
		json_array_append_new(array, json_pack("{s:s, s:o}", "operation",
						       operation->question, "answers", answers));
	}
	return array;
}

/* At most MOST_TIMES, at equal distances. The longest time is always among them. */
static json_t *times_json(const struct side *side)
{
	size_t count = side->lookups_kept < MOST_TIMES ? side->lookups_kept : MOST_TIMES;
	json_t *array = json_array();

	for (size_t i = 1; i <= count; i++)
		json_array_append_new(array,
				      integer(side->lookups[i * side->lookups_kept / count - 1]));
	return array;
}

static json_t *track_json(const struct track *track)
{
	json_t *object = json_object(), *gaps = json_array();

	json_object_set_new(object, "pid", json_integer(track->pid));
	json_object_set_new(object, "virtual", hex(track->page << page_shift()));
	json_object_set_new(object, "physical", hex(track->frame << page_shift()));
	json_object_set_new(object, "since_ns", integer(track->since));
	json_object_set_new(object, "until_ns", integer(track->until));
	for (size_t i = 0; i < track->gap_count; i++)
		json_array_append_new(gaps, json_pack("[I, I]", (json_int_t)track->gaps[i].from,
						      (json_int_t)track->gaps[i].to));
	json_object_set_new(object, "elsewhere_ns", gaps);
	return object;
}

static json_t *tracks_json(const struct tracks *tracks)
{
	json_t *array = json_array();

	for (size_t i = 0; i < tracks->count; i++)
		json_array_append_new(array, track_json(&tracks->list[i]));
	return array;
}

void record_write(const struct side *side, FILE *to)
{
	const struct addresses *addresses = &side->addresses;
	json_t *record = json_pack(
		"{s:i, s:s, s:O, s:I, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:s?, s:I, s:I, s:I}",
		"record", RECORD_VERSION, "way", side->way->name, "about", side->about, "took_ns",
		(json_int_t)side->took, "status", side->status, "killed", side->killed, "lost",
		(json_int_t)side->lost, "operations", (json_int_t)side->asked, "setup_ns",
		(json_int_t)side->setup, "lookups", (json_int_t)side->lookup_count, "pinned_bytes",
		(json_int_t)side->pinned, "backend", side->backend, "given",
		(json_int_t)addresses->given, "seen", (json_int_t)addresses->seen, "moved",
		(json_int_t)addresses->moved);

	json_object_set_new(record, "asked", operations_json(side));
	json_object_set_new(record, "lookup_times_ns", times_json(side));
	json_object_set_new(record, "addresses", tracks_json(&addresses->tracks));
	if (!record || json_dumpf(record, to, JSON_INDENT(1) | JSON_ENSURE_ASCII) ||
	    fputc('\n', to) == EOF)
		give_up("cannot write the record");
	json_decref(record);
}

/* ---- reading ---- */

struct reader {
	const char *file;
};

__attribute__((noreturn)) static void refuse(const struct reader *reader, const char *what)
{
	give_up("%s is no record of noiommu-shim compare: %s", reader->file, what);
}

static const json_t *get(const struct reader *reader, const json_t *object, const char *name,
			 json_type type)
{
	const json_t *member = json_object_get(object, name);

	if (!member || json_typeof(member) != type)
		refuse(reader, name);
	return member;
}

static uint64_t number_of(const struct reader *reader, const json_t *json, const char *name)
{
	if (!json_is_integer(json) || json_integer_value(json) < 0)
		refuse(reader, name);
	return (uint64_t)json_integer_value(json);
}

static uint64_t get_number(const struct reader *reader, const json_t *object, const char *name)
{
	return number_of(reader, json_object_get(object, name), name);
}

static char *string_of(const struct reader *reader, const json_t *json, const char *name)
{
	if (!json_is_string(json))
		refuse(reader, name);
	return plain(json_string_value(json), json_string_length(json));
}

static uint64_t get_page(const struct reader *reader, const json_t *object, const char *name)
{
	const char *digits = json_string_value(get(reader, object, name, JSON_STRING));
	char *end;
	uint64_t value = strtoull(digits, &end, 16);

	if (*end || end == digits)
		refuse(reader, name);
	return value >> page_shift();
}

static void read_operations(const struct reader *reader, struct side *side, const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *object = json_array_get(array, i);
		const json_t *answers = get(reader, object, "answers", JSON_ARRAY);
		struct operation operation = {.count = json_array_size(answers)};

		operation.question =
			string_of(reader, json_object_get(object, "operation"), "operation");
		operation.answers = calloc(operation.count, sizeof(char *));
		if (!operation.count || side_find(side, operation.question))
			refuse(reader, "answers");
		if (!operation.answers)
			give_up("out of memory");
		for (size_t answer = 0; answer < operation.count; answer++)
			operation.answers[answer] =
				string_of(reader, json_array_get(answers, answer), "answers");
		side_add_operation(side, &operation);
	}
}

static void read_times(const struct reader *reader, struct side *side, const json_t *array)
{
	side->lookups_kept = json_array_size(array);
	side->lookups = calloc(side->lookups_kept + 1, sizeof(*side->lookups));
	if (!side->lookups)
		give_up("out of memory");
	for (size_t i = 0; i < side->lookups_kept; i++) {
		side->lookups[i] = number_of(reader, json_array_get(array, i), "lookup_times_ns");
		if (i && side->lookups[i] < side->lookups[i - 1])
			refuse(reader, "lookup_times_ns");
	}
}

static void read_track(const struct reader *reader, struct track *track, const json_t *object)
{
	const json_t *gaps = get(reader, object, "elsewhere_ns", JSON_ARRAY);

	track->pid = (int32_t)get_number(reader, object, "pid");
	track->page = get_page(reader, object, "virtual");
	track->frame = get_page(reader, object, "physical");
	track->since = get_number(reader, object, "since_ns");
	track->until = get_number(reader, object, "until_ns");
	track->gap_count = json_array_size(gaps);
	if (track->gap_count > TRACK_GAPS)
		refuse(reader, "elsewhere_ns");
	for (size_t i = 0; i < track->gap_count; i++) {
		const json_t *gap = json_array_get(gaps, i);

		track->gaps[i].from = number_of(reader, json_array_get(gap, 0), "elsewhere_ns");
		track->gaps[i].to = number_of(reader, json_array_get(gap, 1), "elsewhere_ns");
	}
}

static void read_tracks(const struct reader *reader, struct tracks *tracks, const json_t *array)
{
	tracks->count = json_array_size(array);
	if (tracks->count > TRACKS_MOST)
		refuse(reader, "addresses");
	for (size_t i = 0; i < tracks->count; i++)
		read_track(reader, &tracks->list[i], json_array_get(array, i));
}

/* Reads what ran: known members only, and of these only strings. */
static json_t *read_about(const struct reader *reader, const json_t *from)
{
	json_t *about = json_object();

	for (const struct about_member *member = about_members; member->name; member++) {
		const json_t *value = json_object_get(from, member->name);
		json_t *array = json_array();

		if (!value)
			continue;
		for (size_t i = 0; i < json_array_size(value); i++)
			json_array_append_new(
				array, json_string(string_of(reader, json_array_get(value, i),
							     member->name)));
		if (!json_is_array(value))
			json_array_append_new(array,
					      json_string(string_of(reader, value, member->name)));
		json_object_set_new(about, member->name, array);
	}
	return about;
}

static void read_numbers(const struct reader *reader, struct side *side, const json_t *record)
{
	struct addresses *addresses = &side->addresses;

	side->took = get_number(reader, record, "took_ns");
	side->status = (int)get_number(reader, record, "status");
	side->killed = json_is_true(json_object_get(record, "killed"));
	side->lost = get_number(reader, record, "lost");
	side->asked = get_number(reader, record, "operations");
	side->setup = get_number(reader, record, "setup_ns");
	side->lookup_count = get_number(reader, record, "lookups");
	side->pinned = get_number(reader, record, "pinned_bytes");
	addresses->given = get_number(reader, record, "given");
	addresses->seen = get_number(reader, record, "seen");
	addresses->moved = get_number(reader, record, "moved");
}

void record_read(struct side *side, const char *file)
{
	const struct reader reader = {file};
	json_error_t error;
	json_t *record = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
	const json_t *backend;

	if (!record)
		give_up("cannot read %s: %s", file, error.text);
	if (get_number(&reader, record, "record") != RECORD_VERSION)
		refuse(&reader, "it is of another version");
	side->recorded = true;
	side->way = way_find(json_string_value(get(&reader, record, "way", JSON_STRING)));
	if (!side->way)
		refuse(&reader, "way");
	side->about = read_about(&reader, get(&reader, record, "about", JSON_OBJECT));
	read_numbers(&reader, side, record);
	backend = json_object_get(record, "backend");
	if (json_is_string(backend))
		side->backend = string_of(&reader, backend, "backend");
	read_operations(&reader, side, get(&reader, record, "asked", JSON_ARRAY));
	read_times(&reader, side, get(&reader, record, "lookup_times_ns", JSON_ARRAY));
	read_tracks(&reader, &side->addresses.tracks,
		    get(&reader, record, "addresses", JSON_ARRAY));
	json_decref(record);
}
