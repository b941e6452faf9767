/* SPDX-License-Identifier: MIT */
/*
 * The differences that are allowed. Each line of the file is
 *
 *	STEP <tab> FIELD <tab> REASON
 *
 * where STEP is a shell pattern for steps and FIELD the part of the answer
 * that is not compared: the name before its '=', or "result" for the first
 * word. The part is replaced by '*' on both sides, before the hash is made.
 */
#include <err.h>
#include <fnmatch.h>
#include <string.h>

#include "differential.h"

static struct {
	const char *path;
	uint64_t hash;
	int nr;
	struct difference {
		char step[STEP_LENGTH];
		char field[32];
	} list[64];
} differences = {.path = "/dev/null"};

static void read_line(const char *line)
{
	struct difference *d = &differences.list[differences.nr];
	char reason[2];

	if (*line == '#' || *line == '\n')
		return;
	if (sscanf(line, "%191[^\t]%*[\t]%31[^\t]%*[\t]%1s", d->step, d->field, reason) != 3)
		errx(2, "%s: not STEP, FIELD and REASON: %s", differences.path, line);
	if (++differences.nr == ARRAY_SIZE(differences.list))
		errx(2, "%s: too many differences", differences.path);
	differences.hash ^= hash(d->step, strlen(d->step)) + hash(d->field, strlen(d->field));
}

void differences_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024];

	if (!file)
		err(2, "%s", path);
	differences.path = path;
	while (fgets(line, sizeof(line), file))
		read_line(line);
	fclose(file);
}

const char *differences_path(void)
{
	return differences.path;
}

/* Two records can be compared if they were made with the same list. */
uint64_t differences_hash(void)
{
	return differences.hash;
}

static char *find_field(char *result, const char *name)
{
	size_t length = strlen(name);

	if (!strcmp(name, "result"))
		return result;
	for (char *at = result; (at = strstr(at, name)); at++)
		if (at > result && at[-1] == ' ' && at[length] == '=')
			return at + length + 1;
	return NULL;
}

static void mask(char *value)
{
	size_t length = *value == '{' ? strcspn(value, "}") + 1 : strcspn(value, " ");

	if (!length)
		return;
	*value = '*';
	memmove(value + 1, value + length, strlen(value + length) + 1);
}

void differences_mask(const char *step, char *result)
{
	for (int i = 0; i < differences.nr; i++) {
		const struct difference *d = &differences.list[i];
		char *value = fnmatch(d->step, step, 0) ? NULL : find_field(result, d->field);

		if (value)
			mask(value);
	}
}
