/* SPDX-License-Identifier: MIT */
/* Is opened by dlopen(), and uses files while it is. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int module_result;

__attribute__((constructor)) static void begin(void)
{
	int fd = open("file", O_RDONLY);
	DIR *dir = opendir("dir");
	char c;

	module_result = dup(fd) >= 0 && read(fd, &c, 1) == 1 && readdir(dir) && !closedir(dir);
}

__attribute__((destructor)) static void end(void)
{
	FILE *stream = fopen("file", "r");

	printf("  the end: %c\n", getc(stream));
	fclose(stream);
}
