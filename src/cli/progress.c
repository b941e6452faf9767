/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/plain.h"

#define SAVE	"\0337" /* the cursor */
#define RESTORE "\0338"

/* The row of the terminal that has the line: its last. 0: none. */
static int row;

/* False: there is no terminal with room for a line. */
static bool measure(struct winsize *size)
{
	const char *type = getenv("TERM");

	return isatty(STDERR_FILENO) && type && strcmp(type, "dumb") &&
	       !ioctl(STDERR_FILENO, TIOCGWINSZ, size) && size->ws_row > 2 && size->ws_col;
}

/*
 * Takes the last row out of what scrolls, so that a program that writes to the terminal
 * writes above the line. The cursor may be in that row. Setting the region moves it.
 */
static void take_row(int last)
{
	fprintf(stderr, "\n" SAVE "\033[1;%dr" RESTORE "\033[A", last - 1);
	row = last;
}

void progress(const char *format, ...)
{
	struct winsize size;
	char *line, *words;
	va_list args;
	int len;

	if (!measure(&size))
		return;
	va_start(args, format);
	len = vasprintf(&line, format, args);
	va_end(args);
	if (len < 0)
		return;
	words = plain(line, (size_t)len);
	if (row != size.ws_row)
		take_row(size.ws_row);
	/* Behind the last column it is the next line, or the last column that is erased. */
	fprintf(stderr, SAVE "\033[%d;1H%.*s\033[K" RESTORE, row, size.ws_col - 1, words);
	free(words);
	free(line);
}

void progress_end(void)
{
	if (row)
		fprintf(stderr, SAVE "\033[r\033[%d;1H\033[K" RESTORE, row);
	row = 0;
}
