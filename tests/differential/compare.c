/* SPDX-License-Identifier: MIT */
/*
 * Two records side by side, and a sequence whose two transcripts differ brought
 * down to the few steps that matter.
 */
#include <err.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "differential.h"

/* ---- records ------------------------------------------------------------- */

struct record {
	const char *name;
	FILE *file;
	char world[128];
	char sequence[96]; /* "seed 17" or "sequence NAME" */
	uint64_t hash;
};

static void record_open(struct record *record, const char *name)
{
	record->name = name;
	record->file = fopen(name, "re");
	if (!record->file)
		err(2, "%s", name);
}

/* Anything else in the file is somebody's comment. */
static bool record_next(struct record *record)
{
	char line[256], kind[16], name[64];

	while (fgets(line, sizeof(line), record->file)) {
		if (!strncmp(line, "world ", 6))
			snprintf(record->world, sizeof(record->world), "%.120s", line);
		if (sscanf(line, "%15s %63s %" SCNx64, kind, name, &record->hash) != 3)
			continue;
		snprintf(record->sequence, sizeof(record->sequence), "%s %s", kind, name);
		if (!strcmp(kind, "seed") || !strcmp(kind, "sequence"))
			return true;
	}
	return false;
}

static void must_match(const struct record *a, const struct record *b)
{
	if (strcmp(a->world, b->world))
		errx(2, "%s and %s cannot be compared:\n%s%s", a->name, b->name, a->world,
		     b->world);
	if (strcmp(a->sequence, b->sequence))
		errx(2, "%s has %s where %s has %s", a->name, a->sequence, b->name, b->sequence);
}

/* Prints the sequences that differ, one a line. */
int compare_records(const char *native_name, const char *shim_name)
{
	struct record native = {0}, shim = {0};
	unsigned long same = 0, different = 0;

	record_open(&native, native_name);
	record_open(&shim, shim_name);
	while (record_next(&native)) {
		if (!record_next(&shim)) {
			printf("ends before %s\n", native.sequence);
			return 1;
		}
		must_match(&native, &shim);
		if (native.hash == shim.hash) {
			same++;
			continue;
		}
		different++;
		printf("differs %s\n", native.sequence);
	}
	printf("# %lu sequences the same, %lu different\n", same, different);
	return different || !same;
}

/* ---- the two sides ------------------------------------------------------- */

enum { NATIVE, SHIM, SIDES };

struct sides {
	const char *command[SIDES];
	char script[4096];
};

/* The transcripts of a batch of sequences, in their order */
struct batch {
	int nr;
	char *text[MAX_STEPS];
};

static FILE *start(const char *command, const char *script)
{
	char line[8192];
	FILE *output;

	snprintf(line, sizeof(line), "%s %s", command, script);
	output = popen(line, "re");
	if (!output)
		err(2, "%s", command);
	return output;
}

static void append(char **text, const char *line)
{
	size_t length = *text ? strlen(*text) : 0;
	char *longer = realloc(*text, length + strlen(line) + 1);

	if (!longer)
		err(2, "transcript");
	strcpy(longer + length, line);
	*text = longer;
}

/* A side that dies has no transcripts for what follows: that differs, too. */
static void collect(struct batch *batch, FILE *output)
{
	char line[STEP_LENGTH + ANSWER_LENGTH];

	while (fgets(line, sizeof(line), output)) {
		if (!strncmp(line, "sequence ", 9) && batch->nr < MAX_STEPS)
			batch->text[batch->nr++] = NULL;
		else if (batch->nr && *line != '#')
			append(&batch->text[batch->nr - 1], line);
	}
	if (pclose(output))
		warnx("one side did not end well");
}

static void forget(struct batch *batch)
{
	for (int i = 0; i < batch->nr; i++)
		free(batch->text[i]);
	batch->nr = 0;
}

/* One side after the other: both may want the same devices. */
static void perform_batch(const struct sides *sides, const struct sequence *list, int nr,
			  struct batch batch[SIDES])
{
	FILE *file = fopen(sides->script, "we");

	if (!file)
		err(2, "%s", sides->script);
	for (int i = 0; i < nr; i++) {
		fprintf(file, "sequence %d\n", i);
		sequence_write(&list[i], file);
	}
	fclose(file);

	for (int side = 0; side < SIDES; side++)
		collect(&batch[side], start(sides->command[side], sides->script));
}

static bool differs(const struct batch batch[SIDES], int i)
{
	const char *a = i < batch[NATIVE].nr ? batch[NATIVE].text[i] : NULL;
	const char *b = i < batch[SHIM].nr ? batch[SHIM].text[i] : NULL;

	return !a || !b || strcmp(a, b);
}

/* ---- fewer steps --------------------------------------------------------- */

static void without(struct sequence *out, const struct sequence *in, int from, int nr)
{
	out->nr = 0;
	for (int i = 0; i < in->nr; i++)
		if (i < from || i >= from + nr)
			out->step[out->nr++] = in->step[i];
}

/*
 * Takes out one piece of @size steps without which there is still a difference.
 * All pieces are tried in one batch.
 */
static bool take_out(const struct sides *sides, struct sequence *sequence, int size)
{
	static struct sequence list[MAX_STEPS];
	struct batch batch[SIDES] = {0};
	int nr = 0, found = -1;

	for (int from = 0; from < sequence->nr; from += size)
		without(&list[nr++], sequence, from, size);
	perform_batch(sides, list, nr, batch);
	for (int i = 0; i < nr && found < 0; i++)
		if (list[i].nr && differs(batch, i))
			found = i;
	if (found >= 0)
		*sequence = list[found];
	forget(&batch[NATIVE]);
	forget(&batch[SHIM]);
	return found >= 0;
}

static size_t line_length(const char *text)
{
	return text ? strcspn(text, "\n") : 0;
}

static const char *next_line(const char *text)
{
	size_t length = line_length(text);

	return text && text[length] && text[length + 1] ? text + length + 1 : NULL;
}

static bool same_line(const char *a, const char *b)
{
	return a && b && line_length(a) == line_length(b) && !strncmp(a, b, line_length(a));
}

/* What comes after the first difference did not cause it. */
static void cut_after_difference(struct sequence *sequence, const struct batch batch[SIDES])
{
	const char *a = batch[NATIVE].text[0], *b = batch[SHIM].text[0];
	int number;

	while (same_line(a, b)) {
		a = next_line(a);
		b = next_line(b);
	}
	number = a && strncmp(a, "end", 3) ? atoi(a) : -1;
	for (int i = 0; i < sequence->nr; i++)
		if (sequence->step[i].number == number)
			sequence->nr = i + 1;
}

static const char *answer_of(const char *line)
{
	const char *arrow = line ? strstr(line, " -> ") : NULL;

	return arrow && arrow < line + line_length(line) ? arrow + 4 : line;
}

static void print_difference(const char *a, const char *b)
{
	static const char nothing[] = "nothing";
	const char *native = answer_of(a), *shim = b ? answer_of(b) : nothing;

	printf("* %.*s\n", (int)(native - a), a);
	printf("%14s %.*s\n", "native", (int)line_length(native), native);
	printf("%14s %.*s\n", "shim", (int)line_length(shim), shim);
}

static void print_side_by_side(const struct batch batch[SIDES])
{
	const char *a = batch[NATIVE].nr ? batch[NATIVE].text[0] : NULL;
	const char *b = batch[SHIM].nr ? batch[SHIM].text[0] : NULL;

	for (; a; a = next_line(a), b = next_line(b)) {
		if (same_line(a, b))
			printf("  %.*s\n", (int)line_length(a), a);
		else
			print_difference(a, b);
	}
}

static void print_numbers(const struct sequence *sequence)
{
	printf("--only ");
	for (int i = 0; i < sequence->nr; i++)
		printf("%s%d", i ? "," : "", sequence->step[i].number);
	printf("\n");
}

/* Returns 1 if there is a difference, which is then printed in its shortest form. */
int shrink(const struct sequence *given, const char *native, const char *shim,
	   const char *directory)
{
	static struct sequence sequence;
	struct sides sides = {.command = {native, shim}};
	struct batch batch[SIDES] = {0};
	int before = given->nr;

	snprintf(sides.script, sizeof(sides.script), "%s/candidates.%d", directory, getpid());
	sequence = *given;
	perform_batch(&sides, &sequence, 1, batch);
	if (!differs(batch, 0)) {
		printf("no difference in these %d steps alone\n", before);
		unlink(sides.script);
		return 0;
	}
	if (batch[NATIVE].nr && batch[SHIM].nr)
		cut_after_difference(&sequence, batch);
	forget(&batch[NATIVE]);
	forget(&batch[SHIM]);

	for (int size = (sequence.nr + 1) / 2; size; size /= 2)
		while (sequence.nr > 1 && take_out(&sides, &sequence, size))
			;

	perform_batch(&sides, &sequence, 1, batch);
	unlink(sides.script);
	printf("%d steps of %d:\n", sequence.nr, before);
	print_side_by_side(batch);
	print_numbers(&sequence);
	forget(&batch[NATIVE]);
	forget(&batch[SHIM]);
	return 1;
}
