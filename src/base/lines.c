/* SPDX-License-Identifier: MIT */
#include "base/lines.h"

#include <string.h>

#include "base/sys.h"

bool lines_each(int fd, bool what(const char *line, void *arg), void *arg)
{
	static char text[4096];
	bool found = false, is_rest = false; /* of a line that is longer than the buffer */
	size_t kept = 0;
	ssize_t len;

	if (fd < 0)
		return false;
	while (!found && (len = sys_read(fd, text + kept, sizeof(text) - 1 - kept)) > 0) {
		char *line = text, *end;

		text[kept + (size_t)len] = '\0';
		for (; !found && (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			found = !is_rest && what(line, arg);
			is_rest = false;
		}
		kept = strlen(line);
		memmove(text, line, kept + 1);
		if (kept == sizeof(text) - 1) {
			found = !is_rest && what(text, arg);
			is_rest = true;
			kept = 0;
		}
	}
	sys_close(fd);
	return found;
}
