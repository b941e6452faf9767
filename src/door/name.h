/* SPDX-License-Identifier: MIT */
/*
 * Calls on names. "Ours" in this room is a name that only the view has (tree/view.h), or
 * a stand-in for one.
 *
 * All functions take the lock, are async-signal-safe, leave errno alone and return a
 * value or a negative errno, unless they say otherwise.
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

/* Properties of a letter, by its place in a path. */
#define NAME_SYSTEM 1 /* after the first '/': a system directory */
#define NAME_ENDS   2 /* at the end: names of ours end with it */
extern const unsigned char name_letters[256] __attribute__((visibility("hidden")));

/*
 * Cheap tests whether a path may be ours. Only for strings that the kernel has already
 * read, so they are good. name_may_be_ours() is for names that the kernel has, which are
 * not empty; name_may_be_added() for names that it does not have.
 */
static inline bool name_may_be_ours(const char *path)
{
	size_t len = strlen(path);
	const char *base;

	/* Most paths end in another letter. */
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
 * For other names. One can be a link to a file of ours, or such a file can be mounted on
 * it. The system directories /dev, /etc, /lib, /proc, /sys and /usr have no such names;
 * paths with the initials of these are excluded.
 */
static inline bool name_may_lead_to_ours(const char *path)
{
	return *path != '/' || !(name_letters[(unsigned char)path[1]] & NAME_SYSTEM);
}

static inline bool name_may_be_added(const char *path)
{
	/* Most paths do not even contain what both have in common. */
	if (strstr(path, "io") && (strstr(path, "iommu") || strstr(path, "vfio")))
		return true;
	return *path >= '0' && *path <= '9';
}

/*
 * The result for a name that the kernel does not have. The call then goes to the kernel
 * with another path (NAME_REAL), is answered here (NAME_OURS), or fails.
 */
enum name_is { NAME_NOTHING, NAME_NOT_DIR, NAME_REAL, NAME_OURS };
#define NAME_PATH 512

struct name_paths {
	char to[NAME_PATH];   /* the other path (NAME_REAL), or the name without links */
	char like[NAME_PATH]; /* NAME_OURS: the model, see view_model() */
};

/* *names is set for NAME_REAL and NAME_OURS only; pass it to name_put(). */
enum name_is name_find(int dirfd, const char *path, bool follow, struct name_paths **names);
void name_put(struct name_paths *names);

/*
 * True for a path relative to a stand-in. The kernel must not be asked first, as for it
 * that is another directory. path may be bad.
 */
bool name_begins_in_ours(int dirfd, const char *path);

/* The current directory may be a stand-in. */
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

/* The program changed its current directory, to the stand-in for name or to another one (NULL). */
void name_entered(const char *name);

/* The result of getcwd(2) if the current directory is a stand-in, else 0. */
ssize_t name_getcwd(char *buf, size_t size);

/* True for "". path may be bad. */
bool name_is_empty(const char *path);

/* For NAME_OURS; name is the member to of name_find()'s result. */
int name_stat(const char *name, struct stat *st);
ssize_t name_readlink(const char *name, char *buf, size_t size);

/*
 * The kernel read a link into buf. If it is the link of a descriptor of ours in
 * /proc/self/fd, replaces the text by what it would be without the library. Returns the
 * length to report.
 */
ssize_t name_link_was_read(int dirfd, const char *path, char *buf, size_t size, ssize_t len);

/* Calls what() with each entry that the directory has only in the view. name contains no links. */
void name_list(const char *name, void (*what)(const char *name, unsigned char type, void *arg),
	       void *arg);

/* A cheap test whether a directory may have such entries. name contains no links. */
static inline bool name_may_list(const char *name)
{
	return !strcmp(name, "/dev/vfio") || !strncmp(name, "/sys/kernel/iommu_groups", 24) ||
	       !strncmp(name, "/sys/devices/", 13);
}

/* The same for the directory open under fd. */
bool name_may_list_fd(int fd);
void name_list_fd(int fd, void (*what)(const char *name, unsigned char type, void *arg), void *arg);

/*
 * True for the entry of a hidden descriptor in /proc/self/fd, or another directory that
 * has this process's descriptors. dir is open, name in readable memory.
 */
bool name_is_hidden_entry(int dir, const char *name);

/* The path of the file under fd, without links. Returns its length or 0. */
size_t name_of_fd(int fd, char to[NAME_PATH]);

#endif
