/* SPDX-License-Identifier: MIT */
#include "base/lines.h"

#include <string.h>

#include "base/sys.h"

bool lines_each(int fd, bool what(const char *line, void *arg), void *arg)
{
	static char text[4096];
	bool found = false;
	size_t kept = 0;
	ssize_t len;

	if (fd < 0)
		return false;
	while (!found && (len = sys_read(fd, text + kept, sizeof(text) - 1 - kept)) > 0) {
		char *line = text, *end;

		text[kept + (size_t)len] = '\0';
		for (; !found && (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			found = what(line, arg);
		}
		kept = strlen(line);
		memmove(text, line, kept);
	}
	sys_close(fd);
	return found;
}
