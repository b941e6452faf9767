/* SPDX-License-Identifier: MIT */
/*
 * A list of steps, and how it stands in a file: one step a line. A line of a
 * transcript is a step too: its number, the mark of a child and the answer are
 * left out. Several sequences in a file are each headed by "sequence NAME".
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "differential.h"

void sequence_add(struct sequence *sequence, const char *format, ...)
{
	struct step *step = &sequence->step[sequence->nr];
	va_list args;

	if (sequence->nr == MAX_STEPS)
		return;
	step->number = sequence->nr++;
	va_start(args, format);
	vsnprintf(step->text, sizeof(step->text), format, args);
	va_end(args);
}

static bool listed(const char *numbers, int number)
{
	while (*numbers) {
		char *end;

		if (strtol(numbers, &end, 10) == number)
			return true;
		if (end == numbers)
			return false;
		numbers = *end ? end + 1 : end;
	}
	return false;
}

void sequence_only(struct sequence *sequence, const char *numbers)
{
	int nr = 0;

	for (int i = 0; i < sequence->nr; i++)
		if (listed(numbers, sequence->step[i].number))
			sequence->step[nr++] = sequence->step[i];
	sequence->nr = nr;
}

static void add_line(struct sequence *sequence, char *line)
{
	char *answer = strstr(line, " -> "), *text = line + strspn(line, " \t");
	int number = sequence->nr;
	size_t length;

	if (isdigit((unsigned char)*text)) {
		number = strtol(text, &text, 10);
		text += strspn(text, "| \t");
	}
	if (answer)
		*answer = 0;
	for (length = strlen(text); length && isspace((unsigned char)text[length - 1]); length--)
		text[length - 1] = 0;

	if (!*text || *text == '#' || sequence->nr == MAX_STEPS)
		return;
	sequence_add(sequence, "%s", text);
	sequence->step[sequence->nr - 1].number = number;
}

/* The next sequence of a file. @name keeps the heading that was read ahead. */
bool sequence_read(struct sequence *sequence, FILE *file, char *name, size_t size)
{
	char line[STEP_LENGTH + ANSWER_LENGTH];
	long after = ftell(file);

	sequence->nr = 0;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "sequence ", 9)) {
			if (sequence->nr) {
				fseek(file, after, SEEK_SET);
				return true;
			}
			snprintf(name, size, "%.*s", (int)strcspn(line + 9, " \n"), line + 9);
		} else {
			add_line(sequence, line);
		}
		after = ftell(file);
	}
	return sequence->nr > 0;
}

void sequence_write(const struct sequence *sequence, FILE *file)
{
	for (int i = 0; i < sequence->nr; i++)
		fprintf(file, "%3d  %s\n", sequence->step[i].number, sequence->step[i].text);
}
