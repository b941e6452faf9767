/* SPDX-License-Identifier: MIT */
#include "cli/findings.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/plain.h"
#include "cli/wrap.h"

#define STATE_WIDTH 10
#define NAME_WIDTH  25

static const struct {
	const char *name;
	const char *colour;
} states[] = {
	[FINDING_OK] = {"ok", "\033[32m"},
	[FINDING_NOTE] = {"note", "\033[33m"},
	[FINDING_UNTOLD] = {"unknown", "\033[33m"},
	[FINDING_MISSING] = {"missing", "\033[1;31m"},
};

static char *vtext(const char *format, va_list args)
{
	char *to;

	if (vasprintf(&to, format, args) < 0)
		give_up("out of memory");
	return to;
}

void finding(struct findings *findings, const char *name, enum finding_state state,
	     const char *format, ...)
{
	struct finding *new = &findings->list[findings->count++];
	va_list args;

	assert(findings->count <= sizeof(findings->list) / sizeof(findings->list[0]));
	va_start(args, format);
	*new = (struct finding){.name = name, .state = state, .what = vtext(format, args)};
	va_end(args);
	if (state == FINDING_MISSING)
		findings->missing++;
}

static void add_line(struct findings *findings, char *line, bool mends)
{
	struct finding *last = &findings->list[findings->count - 1];

	last->lines = reallocarray(last->lines, last->count + 1, sizeof(*last->lines));
	if (!last->lines)
		give_up("out of memory");
	last->lines[last->count++] = (struct finding_line){.text = line, .mends = mends};
}

void finding_detail(struct findings *findings, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(findings, vtext(format, args), false);
	va_end(args);
}

void finding_mend(struct findings *findings, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(findings, vtext(format, args), true);
	va_end(args);
}

/* ---- the table ---- */

struct screen {
	int width;
	bool colours;
};

static struct screen look_at_screen(void)
{
	const char *term = getenv("TERM");
	int width = wrap_width();

	if (!width)
		return (struct screen){.width = 80};
	return (struct screen){
		.width = width >= 60 && width <= 100 ? width : 80,
		.colours = !getenv("NO_COLOR") && term && strcmp(term, "dumb"),
	};
}

static void print_finding(const struct finding *f, const struct screen *screen)
{
	const char *state = states[f->state].name;
	const char *colour = screen->colours ? states[f->state].colour : "";
	char *words;

	printf("%s%-*s%s%-*s", colour, STATE_WIDTH, state, screen->colours ? "\033[0m" : "",
	       NAME_WIDTH, f->name);
	words = plain(f->what, strlen(f->what));
	wrap(words, STATE_WIDTH + NAME_WIDTH, screen->width);
	free(words);
	/* A command must be one line, so that it can be copied from the screen. */
	for (size_t i = 0; i < f->count; i++) {
		words = plain(f->lines[i].text, strlen(f->lines[i].text));
		printf("%*s%s%s\n", STATE_WIDTH, "", f->lines[i].mends ? "-> " : "", words);
		free(words);
	}
}

void findings_print(const struct findings *findings, bool ready)
{
	struct screen screen = look_at_screen();

	for (size_t i = 0; i < findings->count; i++)
		print_finding(&findings->list[i], &screen);
	if (!findings->missing)
		printf("\nReady.\n");
	else if (ready)
		printf("\nReady, without the cdev path: it lacks %zu of %zu.\n"
		       "io_uring pins memory, and groups stay the kernel's own.\n",
		       findings->missing, findings->count);
	else
		printf("\nNot ready: %zu of %zu missing.\n", findings->missing, findings->count);
}

/* ---- JSON ---- */

static json_t *text_json(const char *text)
{
	return plain_json(text, strlen(text));
}

json_t *findings_json(const struct findings *findings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];
		json_t *mend = json_array();

		for (size_t line = 0; line < f->count; line++)
			if (f->lines[line].mends)
				json_array_append_new(mend, text_json(f->lines[line].text));
		json_array_append_new(array, json_pack("{s:s, s:s, s:o, s:o}", "name", f->name,
						       "state", states[f->state].name, "what",
						       text_json(f->what), "mend", mend));
	}
	return array;
}
