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

static bool shown;

/* The columns that a line may have; 0: there is no terminal that can erase one. */
static size_t columns(void)
{
	const char *type = getenv("TERM");
	struct winsize size;

	if (!isatty(STDERR_FILENO) || !type || !strcmp(type, "dumb"))
		return 0;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return 79;
	/* In the last column a terminal may begin a new line. */
	return size.ws_col - 1U;
}

void progress(const char *format, ...)
{
	size_t room = columns();
	char *line, *words;
	va_list args;
	int len;

	if (!room)
		return;
	va_start(args, format);
	len = vasprintf(&line, format, args);
	va_end(args);
	if (len < 0)
		return;
	words = plain(line, (size_t)len);
	/* What a program writes meanwhile begins in the first column. */
	fprintf(stderr, "\r%.*s\033[K\r", (int)room, words);
	shown = true;
	free(words);
	free(line);
}

void progress_end(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}
