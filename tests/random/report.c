/* The lines of a program, in memory that all its processes share. */
#define _GNU_SOURCE
#include "random.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct report *report;
const char *report_path;

static __thread int block, step;

/* The descriptor is closed again: the program must find none but its own. */
void report_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	report_path = path;
	if (fd < 0)
		err(2, "%s", path);
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (report == MAP_FAILED)
		err(2, "%s", path);
	close(fd);
}

bool step_begins(int number)
{
	step = number;
	return !report->left_out[number];
}

void block_begins(int number)
{
	block = number;
}

int block_now(void)
{
	return block;
}

/* One piece, as others say something at the same time. */
void say(const char *format, ...)
{
	char line[1024];
	int error = errno;
	size_t length, at;
	va_list args;

	length = (size_t)snprintf(line, sizeof(line), "%d.%d ", block, step);
	va_start(args, format);
	length += (size_t)vsnprintf(line + length, sizeof(line) - length - 1, format, args);
	va_end(args);
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	at = __atomic_fetch_add(&report->used, length, __ATOMIC_RELAXED);
	if (at + length <= sizeof(report->text))
		memcpy(report->text + at, line, length);
	errno = error;
}

const char *answer(long result)
{
	static __thread char text[4][24];
	static __thread unsigned int next;

	if (result < 0)
		return strerrorname_np(errno);
	next = (next + 1) % ARRAY_SIZE(text);
	snprintf(text[next], sizeof(text[next]), "%ld", result);
	return text[next];
}
