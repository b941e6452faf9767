/* SPDX-License-Identifier: MIT */
#include "cli/wrap.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int wrap_width(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

void wrap(const char *words, int indent, int width)
{
	int column = indent;

	while (*words) {
		int len = (int)strcspn(words, " ");

		if (column > indent && column + 1 + len > width) {
			printf("\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			putchar(' ');
			column++;
		}
		printf("%.*s", len, words);
		column += len;
		words += len;
		words += strspn(words, " ");
	}
	putchar('\n');
}
