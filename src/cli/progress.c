/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <signal.h>
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
static volatile sig_atomic_t row;

/* What gives the row back, for a signal handler, which may not format. */
static char give_back[32];

/* What a terminal or an administrator ends or stops the command with. */
static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define CAUGHT (sizeof(caught) / sizeof(caught[0]))

/* The default action, which SA_RESETHAND has restored, follows when this returns. */
static void leave(int sig)
{
	ssize_t n = write(STDERR_FILENO, give_back, strlen(give_back));

	(void)n;
	row = 0;
	raise(sig);
}

/* Handlers that somebody else has installed stay, and ignored signals stay ignored. */
static void change_handlers(void (*from)(int), void (*to)(int))
{
	const struct sigaction action = {.sa_handler = to, .sa_flags = (int)SA_RESETHAND};
	struct sigaction old;

	for (size_t i = 0; i < CAUGHT; i++)
		if (!sigaction(caught[i], NULL, &old) && !(old.sa_flags & SA_SIGINFO) &&
		    old.sa_handler == from)
			sigaction(caught[i], &action, NULL);
}

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
	snprintf(give_back, sizeof(give_back), SAVE "\033[r\033[%d;1H\033[K" RESTORE, last);
	change_handlers(SIG_DFL, leave);
	row = last;
	fprintf(stderr, "\n" SAVE "\033[1;%dr" RESTORE "\033[A", last - 1);
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
	fprintf(stderr, SAVE "\033[%d;1H%.*s\033[K" RESTORE, (int)row, size.ws_col - 1, words);
	free(words);
	free(line);
}

void progress_end(void)
{
	if (!row)
		return;
	fputs(give_back, stderr);
	row = 0;
	change_handlers(leave, SIG_DFL);
}
