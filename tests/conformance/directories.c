/* SPDX-License-Identifier: MIT */
/* opendir, readdir, scandir, glob. */
#include "conformance.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int dir_fd(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
}

/* The order of a directory is the file system's: all names in one sum. */
static void tell_entries(DIR *dir)
{
	unsigned int sum = 0, count = 0;
	struct dirent *entry;

	if (!dir)
		return;
	errno = UNTOUCHED;
	while ((entry = the.readdir(dir))) {
		for (const char *c = entry->d_name; *c; c++)
			sum += (unsigned char)*c;
		sum += entry->d_type;
		count++;
	}
	say("the end", count, errno);
	tell("sum %u", sum);
}

CASE(opendir)
{
	for (const char *const *path = paths; *path; path++) {
		DIR *dir;

		if (*path == BAD) /* ends the program in libc */
			continue;
		tell("%s", shown(*path));
		dir = CALL_POINTER(the.opendir(*path), NULL);
		if (dir && **path == '.')
			tell_entries(dir);
		if (dir)
			CALL(the.closedir(dir));
	}
}

CASE(fdopendir)
{
	DIR *dir = CALL_POINTER(the.fdopendir(dir_fd(".")), NULL);

	tell_entries(dir);
	the.rewinddir(dir);
	tell_entries(dir);
	CALL(the.closedir(dir));
	CALL_POINTER(the.fdopendir(dir_fd("file")), NULL);
	CALL_POINTER(the.fdopendir(-1), NULL);
	CALL_POINTER(the.fdopendir((int)syscall(SYS_openat, AT_FDCWD, ".", O_PATH, 0)), NULL);
}

/* Each entry of this directory is a descriptor that is open. */
static void tell_descriptor(const char *name, int *count, int *gone)
{
	struct stat st;

	if (*name == '.')
		return;
	++*count;
	*gone += the.fstat(atoi(name), &st) != 0;
}

static void tell_descriptors(int count, int gone)
{
	tell("%d descriptors, %d not open", count, gone);
}

CASE(readdir)
{
	DIR *dir = the.opendir("/proc/self/fd");
	int count = 0, gone = 0;
	struct dirent *entry;

	the.open("/proc/self/pagemap", O_RDONLY);
	while ((entry = the.readdir(dir)))
		tell_descriptor(entry->d_name, &count, &gone);
	tell_descriptors(count, gone);
	dir = the.opendir(".");

	tell_entries(dir);
	tell_entries(dir);
	seekdir(dir, 0);
	tell_entries(dir);
}

CASE(readdir64)
{
	DIR *dir = the.opendir("dir");
	struct dirent64 *entry;
	long count = 0;

	while ((entry = CALL_POINTER(the.readdir64(dir), NULL)))
		count += entry->d_reclen > 0;
	tell("%ld entries", count);
}

CASE(readdir_r)
{
	DIR *dir = the.opendir("dir");
	struct dirent entry, *got = &entry;
	int count = 0, gone = 0;

	while (!CALL(the.readdir_r(dir, &entry, &got)) && got)
		tell("%d %d", got == &entry, got->d_type);
	dir = the.opendir("/proc/self/fd");
	while (!the.readdir_r(dir, &entry, &got) && got)
		tell_descriptor(entry.d_name, &count, &gone);
	tell_descriptors(count, gone);
}

CASE(readdir64_r)
{
	DIR *dir = the.opendir("dir");
	struct dirent64 entry, *got = &entry;

	while (!CALL(the.readdir64_r(dir, &entry, &got)) && got)
		tell("%d %d", got == &entry, got->d_type);
}

CASE(rewinddir)
{
	DIR *dir = the.opendir("dir");

	the.readdir(dir);
	the.rewinddir(dir);
	tell_entries(dir);
}

CASE(closedir)
{
	DIR *dir = the.opendir("dir");
	int fd = dirfd(dir);

	CALL(the.closedir(dir));
	CALL(syscall(SYS_fcntl, fd, F_GETFD));
	dir = the.opendir("dir");
	syscall(SYS_close, dirfd(dir));
	CALL(the.closedir(dir));
	CALL(the.closedir(NULL));
}

static void gets_entries(ssize_t with(int fd, char *buf, size_t size, off_t *pos))
{
	char buf[4096];
	off_t pos = -7;
	int fd = dir_fd("dir");

	CALL(with(fd, buf, sizeof(buf), &pos));
	tell("position %ld", (long)pos);
	CALL(with(fd, buf, sizeof(buf), &pos));
	syscall(SYS_lseek, fd, 0L, SEEK_SET);
	CALL(with(fd, buf, 10, &pos));
	CALL(with(fd, BAD, sizeof(buf), &pos));
	CALL(with(own_file(O_RDONLY), buf, sizeof(buf), &pos));
	CALL(with(-1, buf, sizeof(buf), &pos));
	fd = dir_fd("/proc/self/task");
	CALL(with(fd, buf, sizeof(buf), &pos) > 0);
}

static ssize_t by_getdents(int fd, char *buf, size_t size, off_t *pos)
{
	(void)pos;
	return the.getdents64(fd, buf, size);
}

CASE(getdents64)
{
	int fd = dir_fd("/proc/self/fd"), count = 0, gone = 0;
	char buf[1024];
	ssize_t len;

	while ((len = the.getdents64(fd, buf, 64)) > 0) /* one or two at a time */
		for (ssize_t at = 0; at < len;) {
			struct dirent64 *entry = (struct dirent64 *)(buf + at);

			tell_descriptor(entry->d_name, &count, &gone);
			at += entry->d_reclen;
		}
	tell_descriptors(count, gone);
	gets_entries(by_getdents);
}

CASE(getdirentries)
{
	gets_entries(the.getdirentries);
}

CASE(getdirentries64)
{
	gets_entries(the.getdirentries64);
}

/* ---- scandir ---- */

static int short_ones(const struct dirent *entry)
{
	errno = EILSEQ; /* a filter may do anything to it */
	return strlen(entry->d_name) < 6;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void scans(int with(const char *path, struct dirent ***list, scandir_filter *filter,
			   scandir_compare *compare))
{
	for (const char *const *path = paths; *path; path++) {
		struct dirent **list = NULL;
		int count;

		if (*path == BAD || **path == '/')
			continue;
		tell("%s", shown(*path));
		count = CALL(with(*path, &list, short_ones, by_name));
		for (int i = 0; i < count; i++) {
			tell("%s %d", list[i]->d_name, list[i]->d_type);
			free(list[i]);
		}
		if (count >= 0)
			free(list);
		count = CALL(with(*path, &list, NULL, NULL));
	}
}

#define SCAN_CASE(name, ...)                                                                       \
	static int by_##name(const char *path, struct dirent ***list, scandir_filter *filter,      \
			     scandir_compare *compare)                                             \
	{                                                                                          \
		return the.name(__VA_ARGS__);                                                      \
	}                                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		scans(by_##name);                                                                  \
	}

#define IN_64                                                                                      \
	path, (struct dirent64 ***)list, (scandir64_filter *)filter, (scandir64_compare *)compare

SCAN_CASE(scandir, path, list, filter, compare)
SCAN_CASE(scandir64, IN_64)
SCAN_CASE(scandirat, AT_FDCWD, path, list, filter, compare)
SCAN_CASE(scandirat64, AT_FDCWD, IN_64)

/* ---- glob ---- */

static int complain(const char *path, int error)
{
	tell("error %d at %s", error, path);
	return 0;
}

static void globs(int with(const char *pattern, int flags, int (*error)(const char *, int),
			   glob_t *found))
{
	static const char *const patterns[] = {
		"*",	       "dir/*",	    "n*",     "none*",	  "{file,vfio,none}", "[0-9]",
		"*/noiommu-?", "dangl*/x*", "file/*", "loop/*",	  "\\file",	      "",
		"~",	       "noiommu-7", "vfio/*", "iommu/x*",
	};
	static const int flags[] = {0, GLOB_MARK, GLOB_NOCHECK, GLOB_ERR, GLOB_PERIOD};

	for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++)
		for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
			glob_t found = {0};

			tell("%s %d", patterns[i], flags[f]);
			CALL(with(patterns[i], flags[f], complain, &found));
			for (size_t n = 0; n < found.gl_pathc; n++)
				tell("%s", strcmp(patterns[i], "~") ? found.gl_pathv[n] : "home");
			globfree(&found);
		}
}

CASE(glob)
{
	globs(the.glob);
}

static int by_glob64(const char *pattern, int flags, int (*error)(const char *, int), glob_t *found)
{
	return the.glob64(pattern, flags, error, (glob64_t *)found);
}

CASE(glob64)
{
	globs(by_glob64);
}
