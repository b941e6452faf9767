/* SPDX-License-Identifier: MIT */
/*
 * Directories: opendir, readdir, scandir, glob.
 *
 * The stream on a directory that has more entries in the view (tree/view.h) is libc's
 * own. The view's entries are appended to the kernel's. For a directory that only the
 * view has, the stream is on a stand-in, of which only "." and ".." are shown, then the
 * view's entries.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/slab.h"
#include "base/sys.h"
#include "door/fd.h"
#include "door/name.h"
#include "preload/next.h"

/* Enough for a directory of groups; entries beyond are omitted. */
#define ENTRIES 256

struct listing {
	struct listing *next;
	DIR *dir;
	bool alone; /* only the view has the directory */
	unsigned int count;
	unsigned int at;
	struct {
		char name[60];
		unsigned char type;
	} * entries;
	struct dirent64 entry; /* readdir()'s last result */
};

_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "struct dirent64");

/* A short list: most programs have none. */
static struct listing *_Atomic listings;
static struct slab listing_slab = {.size = sizeof(struct listing)};

static struct listing *find(DIR *dir)
{
	struct listing *listing = listings;

	while (listing && listing->dir != dir)
		listing = listing->next;
	return listing;
}

static void add(const char *name, unsigned char type, void *arg)
{
	struct listing *listing = arg;

	if (listing->count == ENTRIES)
		return;
	strncpy(listing->entries[listing->count].name, name, sizeof(listing->entries->name) - 1);
	listing->entries[listing->count++].type = type;
}

/* May allocate, as opendir() does. */
static void enter(DIR *dir, const char *name, bool alone)
{
	struct listing new = {.dir = dir, .alone = alone};
	struct lock_saved saved;
	struct listing *listing;

	if (!name_may_list(name))
		return;
	new.entries = calloc(ENTRIES, sizeof(*new.entries));
	if (!new.entries)
		return;
	name_list(name, add, &new);
	if (!new.count && !alone) {
		free(new.entries);
		return;
	}
	saved = lock_enter();
	listing = slab_alloc(&listing_slab);
	if (listing) {
		*listing = new;
		listing->next = listings;
		listings = listing;
	}
	lock_leave(saved);
	if (!listing)
		free(new.entries);
}

/* False: dir has no listing. */
static bool leave(DIR *dir)
{
	struct lock_saved saved = lock_enter();
	struct listing *listing = listings;
	struct listing *before = NULL;
	void *entries = NULL;

	while (listing && listing->dir != dir) {
		before = listing;
		listing = listing->next;
	}
	if (listing) {
		if (before)
			before->next = listing->next;
		else
			listings = listing->next;
		entries = listing->entries;
		slab_free(&listing_slab, listing);
	}
	lock_leave(saved);
	free(entries);
	return listing;
}

/* Opens by descriptor, which also works for a directory that only the view has. */
static DIR *open_ours(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

DIR *opendir(const char *path)
{
	int before = errno;
	bool below = name_begins_below(AT_FDCWD, path);
	DIR *dir = below ? NULL : NEXT(opendir)(path);
	char name[NAME_PATH];

	if (dir && name_of_fd(dirfd(dir), name))
		enter(dir, name, false);
	if (dir || (!below && (errno != ENOENT || !name_may_be_added(path))))
		return dir;
	errno = before;
	return open_ours(AT_FDCWD, path);
}

DIR *fdopendir(int fd)
{
	DIR *dir = NEXT(fdopendir)(fd);
	char name[NAME_PATH];

	/* libc accepts an O_PATH descriptor, although it cannot be read. */
	if (dir && !(NEXT(fcntl)(fd, F_GETFL) & O_PATH) && name_of_fd(fd, name))
		enter(dir, name, fdtab_kind(fd) == FD_STANDIN);
	return dir;
}

static struct dirent64 *next_of_ours(struct listing *listing)
{
	struct dirent64 *entry = &listing->entry;

	if (listing->at == listing->count)
		return NULL;
	strcpy(entry->d_name, listing->entries[listing->at].name);
	entry->d_type = listing->entries[listing->at].type;
	entry->d_ino = 1000 + listing->at++;
	entry->d_reclen = sizeof(*entry);
	return entry;
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* struct dirent and struct dirent64 are the same here, so both functions are. */
static struct dirent64 *read_entry(DIR *dir, __typeof__(readdir64) *call)
{
	struct listing *listing = listings ? find(dir) : NULL;
	struct dirent64 *entry = call(dir);

	while (entry && name_is_hidden_entry(dirfd(dir), entry->d_name))
		entry = call(dir);
	if (!listing)
		return entry;
	while (entry && listing->alone && !is_dot(entry->d_name))
		entry = call(dir);
	return entry ? entry : next_of_ours(listing);
}

struct dirent *readdir(DIR *dir)
{
	return (struct dirent *)read_entry(dir, (__typeof__(readdir64) *)NEXT(readdir));
}

struct dirent64 *readdir64(DIR *dir)
{
	return read_entry(dir, NEXT(readdir64));
}

/* The view's entries come from readdir64(), the kernel's from libc. */
static int read_into(DIR *dir, struct dirent64 *entry, struct dirent64 **result)
{
	int before = errno;
	int error;

	errno = 0;
	*result = readdir64(dir);
	error = errno;
	errno = before;
	if (*result)
		*result = memcpy(entry, *result,
				 offsetof(struct dirent64, d_name) + strlen((*result)->d_name) + 1);
	return *result ? 0 : error;
}

static int read_entry_r(DIR *dir, struct dirent64 *entry, struct dirent64 **result,
			__typeof__(read_into) *call)
{
	int error;

	if (listings && find(dir))
		return read_into(dir, entry, result);
	do
		error = call(dir, entry, result);
	while (!error && *result && name_is_hidden_entry(dirfd(dir), entry->d_name));
	return error;
}

int readdir_r(DIR *dir, struct dirent *entry, struct dirent **result)
{
	return read_entry_r(dir, (struct dirent64 *)entry, (struct dirent64 **)result,
			    (__typeof__(read_into) *)NEXT(readdir_r));
}

int readdir64_r(DIR *dir, struct dirent64 *entry, struct dirent64 **result)
{
	return read_entry_r(dir, entry, result, NEXT(readdir64_r));
}

void rewinddir(DIR *dir)
{
	struct listing *listing = listings ? find(dir) : NULL;

	if (listing)
		listing->at = 0;
	NEXT(rewinddir)(dir);
}

int closedir(DIR *dir)
{
	if (listings && leave(dir))
		fd_replaced(dirfd(dir));
	return NEXT(closedir)(dir);
}

/* ---- scandir() and glob(), in which libc calls internal functions ---- */

static void free_all(struct dirent64 **entries, size_t count)
{
	while (count)
		free(entries[--count]);
	free(entries);
}

static struct dirent64 *copy_of(const struct dirent64 *entry)
{
	struct dirent64 *copy = malloc(entry->d_reclen);

	return copy ? memcpy(copy, entry, entry->d_reclen) : NULL;
}

/* Returns the number of entries, or -1. */
static int scan(DIR *dir, struct dirent64 ***list, scandir64_filter *filter,
		scandir64_compare *compare)
{
	struct dirent64 **found = NULL, *entry;
	size_t count = 0;

	while ((errno = 0, entry = readdir64(dir))) {
		struct dirent64 **more;

		if (filter && !filter(entry))
			continue;
		more = realloc(found, (count + 1) * sizeof(*found));
		if (more)
			found = more;
		if (!more || !(found[count] = copy_of(entry)))
			break;
		count++;
	}
	if (errno) {
		free_all(found, count);
		return -1;
	}
	if (compare && count)
		qsort(found, count, sizeof(*found), (int (*)(const void *, const void *))compare);
	*list = found;
	return (int)count;
}

/* Closes dir, which may be NULL. */
static int scan_and_close(DIR *dir, struct dirent64 ***list, scandir64_filter *filter,
			  scandir64_compare *compare, int before)
{
	int count, error;

	if (!dir)
		return -1;
	count = scan(dir, list, filter, compare);
	error = count < 0 ? errno : before;
	closedir(dir);
	errno = error;
	return count;
}

static int scan_path(const char *path, struct dirent64 ***list, scandir64_filter *filter,
		     scandir64_compare *compare)
{
	int before = errno;

	return scan_and_close(opendir(path), list, filter, compare, before);
}

int scandir(const char *path, struct dirent ***list, scandir_filter *filter,
	    scandir_compare *compare)
{
	return scan_path(path, (struct dirent64 ***)list, (scandir64_filter *)filter,
			 (scandir64_compare *)compare);
}

int scandir64(const char *path, struct dirent64 ***list, scandir64_filter *filter,
	      scandir64_compare *compare)
{
	return scan_path(path, list, filter, compare);
}

int scandirat64(int dirfd, const char *path, struct dirent64 ***list, scandir64_filter *filter,
		scandir64_compare *compare)
{
	int before = errno;

	return scan_and_close(open_ours(dirfd, path), list, filter, compare, before);
}

int scandirat(int dirfd, const char *path, struct dirent ***list, scandir_filter *filter,
	      scandir_compare *compare)
{
	return scandirat64(dirfd, path, (struct dirent64 ***)list, (scandir64_filter *)filter,
			   (scandir64_compare *)compare);
}

#ifdef GLOB_ALTDIRFUNC
_Static_assert(sizeof(glob_t) == sizeof(glob64_t), "glob64_t");

static void glob_close(void *dir)
{
	closedir(dir);
}

/* glob() accepts functions to read directories with: passes the intercepted ones. */
static int glob_by_ours(const char *pattern, int flags, glob64_t *found)
{
	if (!name_may_be_added(pattern) || flags & GLOB_ALTDIRFUNC)
		return flags;
	found->gl_opendir = (void *)opendir;
	found->gl_readdir = (void *)readdir64;
	found->gl_closedir = glob_close;
	found->gl_stat = (void *)stat64;
	found->gl_lstat = (void *)lstat64;
	return flags | GLOB_ALTDIRFUNC;
}
#else
/* musl's glob() has no such flag: it sees only the kernel's entries. */
static int glob_by_ours(const char *pattern, int flags, glob64_t *found)
{
	(void)pattern;
	(void)found;
	return flags;
}
#endif

int glob(const char *pattern, int flags, int (*error)(const char *, int), glob_t *found)
{
	flags = glob_by_ours(pattern, flags, (glob64_t *)found);
	return NEXT(glob)(pattern, flags, error, found);
}

int glob64(const char *pattern, int flags, int (*error)(const char *, int), glob64_t *found)
{
	flags = glob_by_ours(pattern, flags, found);
	return NEXT(glob64)(pattern, flags, error, found);
}
