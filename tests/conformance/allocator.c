/* SPDX-License-Identifier: MIT */
/*
 * A program whose allocator uses files, as jemalloc does: whoever calls
 * malloc() from inside a call on files comes back to where he is.
 */
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static _Alignas(16) char arena[8 << 20];
static size_t used;

void *malloc(size_t size)
{
	struct stat st;
	char text[16];
	char *block;
	int fd = open("/proc/self/oom_score", O_RDONLY);

	if (read(fd, text, sizeof(text)) < 0 || fstat(fd, &st) || close(fd))
		abort();
	if (munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096))
		abort();
	size = (size + 31) & ~(size_t)15;
	if (size > sizeof(arena) - used)
		return NULL;
	block = arena + used;
	used += size;
	memcpy(block, &size, sizeof(size));
	return block + 16;
}

void free(void *block)
{
	struct stat st;

	(void)block;
	if (stat("/proc/self/oom_score", &st))
		abort();
}

void *calloc(size_t count, size_t size)
{
	return malloc(count * size); /* the arena is zero, and nothing is used twice */
}

void *realloc(void *block, size_t size)
{
	char *more = malloc(size);
	size_t old;

	if (!block || !more)
		return more;
	memcpy(&old, (char *)block - 16, sizeof(old));
	return memcpy(more, block, old - 16 < size ? old - 16 : size);
}

int main(void)
{
	struct dirent **list;
	glob_t found;
	size_t at_start = used;
	DIR *dir = opendir("/proc/self/task");
	FILE *stream = fopen("/proc/self/comm", "r");
	char *path = realpath("/proc/../dev/null", NULL);

	printf("%zu bytes in use before main()\n", at_start);
	printf("%d %d %s\n", readdir(dir) != NULL, getc(stream), path);
	printf("%d %d\n", fclose(stream), closedir(dir));
	printf("%d\n", scandir("/proc/self/ns", &list, NULL, alphasort) > 2);
	printf("%d\n", glob("/sys/class/*iommu*", GLOB_NOCHECK, NULL, &found));
	printf("%d\n", glob("/dev/nul*", 0, NULL, &found));
	printf("%d %s\n", access("/sys/none/iommu_group", F_OK), found.gl_pathv[0]);
	return 0;
}
