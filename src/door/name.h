/* SPDX-License-Identifier: MIT */
/*
 * What names stand for. All functions take the lock
 * themselves, are async-signal-safe, leave errno alone and return a value or a
 * negative errno, unless they say otherwise.
 */
#ifndef DOOR_NAME_H
#define DOOR_NAME_H

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/attention.h"
#include "base/fdtab.h"

/* What a letter tells, by where it stands in a path. */
#define NAME_SYSTEM 1 /* behind the first '/': the path is one of the system's own */
#define NAME_ENDS   2 /* at the end: names of ours end so */
extern const unsigned char name_letters[256] __attribute__((visibility("hidden")));

/*
 * Cheap tests whether a path may name something of ours; to be asked only of
 * strings that the kernel has read already. name_may_be_ours() is for names
 * that it has, which are not empty, name_may_be_added() for names that it has not.
 */
static inline bool name_may_be_ours(const char *path)
{
	size_t len = strlen(path);
	const char *base;

	/* Mostly it ends in another letter than they do. */
	if (!(name_letters[(unsigned char)path[len - 1]] & NAME_ENDS))
		return false;
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	switch (*base) {
	case 'v':
		return !strcmp(base, "vfio");
	case 'n':
		return !strncmp(base, "noiommu-", 8);
	case 'p':
		return !strcmp(base, "pagemap");
	default:
		return *base >= '0' && *base <= '9';
	}
}

/*
 * A name that says nothing of the file can be a link to one of ours, or have it
 * mounted on it. Where a system has its own files nobody puts such a thing: in
 * /dev, /etc, /lib, /proc, /sys and /usr, which begin with these letters.
 */
static inline bool name_may_lead_to_ours(const char *path)
{
	return *path != '/' || !(name_letters[(unsigned char)path[1]] & NAME_SYSTEM);
}

static inline bool name_may_be_added(const char *path)
{
	/* Mostly it has not even what both have. */
	if (strstr(path, "io") && (strstr(path, "iommu") || strstr(path, "vfio")))
		return true;
	return *path >= '0' && *path <= '9';
}

/*
 * What a name stands for that the kernel has not. A call on such a name either
 * goes to the kernel after all, with another path, or is answered from here.
 */
enum name_is { NAME_NOTHING, NAME_NOT_DIR, NAME_REAL, NAME_OURS };
#define NAME_PATH 512

struct name_paths {
	char to[NAME_PATH];   /* the other path (NAME_REAL), or the name without links */
	char like[NAME_PATH]; /* of NAME_OURS: a file of this kind that the kernel has */
};

/* *names is for name_put(), and there for NAME_REAL and NAME_OURS only. */
enum name_is name_find(int dirfd, const char *path, bool follow, struct name_paths **names);
void name_put(struct name_paths *names);

/*
 * True for a path that begins in a directory of ours: the kernel must not be
 * asked first, to which it is another one. path may be bad.
 */
bool name_begins_in_ours(int dirfd, const char *path);

/* The current directory may be of ours. */
static inline bool name_is_in_ours(void)
{
	return attention_get() & ATTENTION_INSIDE;
}

static inline bool name_begins_below(int dirfd, const char *path)
{
	if (__builtin_expect(!name_is_in_ours() && fdtab_kind(dirfd) != FD_STANDIN, 1))
		return false;
	return name_begins_in_ours(dirfd, path);
}

/* The current directory is what stands for name, or a directory that is none of ours (NULL). */
void name_entered(const char *name);

/* getcwd(2) where the current directory is of ours, with what it returns; elsewhere 0. */
ssize_t name_getcwd(char *buf, size_t size);

/* True for "". path may be bad. */
bool name_is_empty(const char *path);

/* Of names that are NAME_OURS, by what name_find() put into to. */
int name_stat(const char *name, struct stat *st);
ssize_t name_readlink(const char *name, char *buf, size_t size);

/*
 * The kernel read a link into buf: what stands under /proc/self/fd for one of
 * our descriptors reads as it would natively. Returns the length to report.
 */
ssize_t name_link_was_read(int dirfd, const char *path, char *buf, size_t size, ssize_t len);

/*
 * What the directory with this name without links has beyond what the kernel
 * shows, or, for one of ours, what it has.
 */
void name_list(const char *name, void (*what)(const char *name, unsigned char type, void *arg),
	       void *arg);

/* A cheap test whether a directory may have more; its name is one without links. */
static inline bool name_may_list(const char *name)
{
	return !strcmp(name, "/dev/vfio") || !strncmp(name, "/sys/kernel/iommu_groups", 24) ||
	       !strncmp(name, "/sys/devices/", 13);
}

/* The same of the directory that is open under fd. */
bool name_may_list_fd(int fd);
void name_list_fd(int fd, void (*what)(const char *name, unsigned char type, void *arg), void *arg);

/* The name without links of what is open under fd, a number of bytes or 0. */
size_t name_of_fd(int fd, char to[NAME_PATH]);

#endif
