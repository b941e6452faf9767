/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/session.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
#define CAUGHT (sizeof(caught) / sizeof(caught[0]))

static struct {
	bool drawn_on;
	bool has_keys; /* standard input is a terminal, too */
	struct termios saved;
	sigset_t mask; /* signal mask to restore */
	size_t rows, columns;
} screen;

static volatile sig_atomic_t arrived;

static void note_signal(int sig)
{
	arrived = sig;
}

bool screen_there(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && terminal && *terminal && strcmp(terminal, "dumb");
}

size_t screen_columns(void)
{
	return screen.columns;
}

bool screen_has_blocks(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool has = locale && !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");

	if (locale)
		freelocale(locale);
	return has;
}

static void measure(void)
{
	struct winsize size;
	bool told = !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);

	screen.rows = told && size.ws_row ? size.ws_row : 24;
	screen.columns = told && size.ws_col ? size.ws_col : 80;
}

/* ---- setting the terminal up and restoring it ---- */

static void put(const char *string)
{
	fputs(string, stdout);
	fflush(stdout);
}

/* Enters the alternate screen and hides the cursor. Ctrl-C and Ctrl-Z still work. */
static void enter(void)
{
	struct termios keys;

	screen.has_keys = !tcgetattr(STDIN_FILENO, &screen.saved);
	if (screen.has_keys) {
		keys = screen.saved;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		keys.c_cc[VMIN] = 0;
		keys.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	measure();
	put("\033[?1049h\033[?25l");
	screen.drawn_on = true;
}

void screen_end(void)
{
	if (!screen.drawn_on)
		return;
	screen.drawn_on = false;
	put("\033[?25h\033[?1049l");
	/* TCSAFLUSH discards what was typed meanwhile. */
	if (screen.has_keys)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen.saved);
}

/* Signals are delivered only in screen_wait(), so that they interrupt no look. */
void screen_begin(void)
{
	const struct sigaction action = {.sa_handler = note_signal};
	struct sigaction old;
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < CAUGHT; i++) {
		sigaction(caught[i], NULL, &old);
		/* A signal that is ignored, as by nohup(1), stays ignored. */
		if (old.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &action, NULL);
		sigaddset(&blocked, caught[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &screen.mask);
	atexit(screen_end);
	enter();
}

/* Takes the default action of the signal. Returns if that only stopped the program. */
static void obey(int sig)
{
	const struct sigaction action = {.sa_handler = SIG_DFL};
	struct sigaction old;
	sigset_t mask, only;

	screen_end();
	sigemptyset(&only);
	sigaddset(&only, sig);
	sigaction(sig, &action, &old);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &only, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(sig, &old, NULL);
	enter();
}

/* ---- drawing ---- */

/* How many bytes of a line fit. Only the first byte of a UTF-8 character counts. */
static size_t fitting(const char *line, size_t len)
{
	size_t columns = 0;

	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] & 0xc0) != 0x80 && columns++ == screen.columns)
			return i;
	return len;
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		lines++;
	}
	return lines;
}

void screen_show(const char *text)
{
	size_t lines = count_lines(text);
	size_t shown = lines <= screen.rows ? lines : screen.rows - 1;

	put("\033[H");
	for (size_t i = 0; i < shown; i++) {
		size_t len = strcspn(text, "\n");

		printf("%s%.*s\033[K", i ? "\r\n" : "", (int)fitting(text, len), text);
		text += len + 1;
	}
	if (shown < lines)
		printf("\r\n(%zu more lines)\033[K", lines - shown);
	/* On a full screen this could erase the end of the last line. */
	put(lines < screen.rows ? "\r\n\033[J" : "");
}

/* ---- waiting ---- */

static bool asks_for_end(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	/* A terminal that is gone would report end of file for ever. */
	if (n <= 0)
		screen.has_keys = false;
	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q')
			return true;
	return false;
}

/* False: the signal asks for the end. */
static bool take_signal(void)
{
	int sig = arrived;

	arrived = 0;
	if (sig == SIGINT)
		return false;
	if (sig == SIGWINCH)
		measure();
	else
		obey(sig);
	return true;
}

bool screen_wait(unsigned int ms)
{
	uint64_t now = session_now(), end = now + ms * UINT64_C(1000000);
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};

	for (; now < end; now = session_now()) {
		struct timespec left = {.tv_sec = (time_t)((end - now) / 1000000000),
					.tv_nsec = (long)((end - now) % 1000000000)};
		int n = ppoll(&keys, screen.has_keys, &left, &screen.mask);

		/* The caller draws again at once. */
		if (arrived)
			return take_signal();
		if (n > 0 && asks_for_end())
			return false;
	}
	return true;
}
