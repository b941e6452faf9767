/* SPDX-License-Identifier: MIT */
/*
 * Directories: opendir, readdir, scandir, glob.
 *
 * A stream on a directory that has more in our view than in the kernel's is
 * the kernel's own, with our entries behind its last one. Where the kernel has
 * no such directory the stream is on another, of which only "." and ".." are
 * shown.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/slab.h"
#include "legacy/legacy.h"
#include "preload/next.h"

/* Enough for a directory of groups; what does not fit is another group's. */
#define ENTRIES 256

struct listing {
	struct listing *next;
	DIR *dir;
	bool alone; /* the kernel has no such directory */
	unsigned int count;
	unsigned int at;
	struct {
		char name[60];
		unsigned char type;
	} * entries;
	struct dirent64 entry; /* what readdir() returned last */
};

_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "struct dirent64");

/* Listings are few and short: most programs never have one. */
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

/* opendir() may allocate, so this may. */
static void enter(DIR *dir, const char *name, bool alone)
{
	struct listing new = {.dir = dir, .alone = alone};
	struct lock_saved saved;
	struct listing *listing;

	new.entries = calloc(ENTRIES, sizeof(*new.entries));
	if (!new.entries)
		return;
	legacy_list(name, add, &new);
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

static void leave(DIR *dir)
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
}

/* Of directories that the kernel has, these have more in our view. */
static bool may_list(const char *path)
{
	return strstr(path, "vfio") || strstr(path, "iommu_groups");
}

DIR *opendir(const char *path)
{
	int before = errno;
	DIR *dir = NEXT(opendir)(path);
	char name[LEGACY_PATH];
	struct stat st;

	if (dir) {
		if (may_list(path) && legacy_path_of(dirfd(dir), name))
			enter(dir, name, false);
		return dir;
	}
	if (errno != ENOENT || !legacy_may_add(path))
		return NULL;
	switch (legacy_name(AT_FDCWD, path, true, name)) {
	case LEGACY_REAL:
		errno = before;
		return NEXT(opendir)(name);
	case LEGACY_OURS:
		errno = before;
		if (legacy_stat(name, &st) || !S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return NULL;
		}
		dir = NEXT(opendir)("/dev/vfio");
		if (dir)
			enter(dir, name, true);
		return dir;
	case LEGACY_NOT_DIR:
		errno = ENOTDIR;
		return NULL;
	default:
		return NULL;
	}
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

#define READ(dir, type, call)                                                                      \
	({                                                                                         \
		struct listing *listing_ = listings ? find(dir) : NULL;                            \
		struct type *entry_ = (call);                                                      \
		while (listing_ && entry_ && listing_->alone && !is_dot(entry_->d_name))           \
			entry_ = (call);                                                           \
		if (listing_ && !entry_)                                                           \
			entry_ = (struct type *)next_of_ours(listing_);                            \
		entry_;                                                                            \
	})

struct dirent *readdir(DIR *dir)
{
	return READ(dir, dirent, NEXT(readdir)(dir));
}

struct dirent64 *readdir64(DIR *dir)
{
	return READ(dir, dirent64, NEXT(readdir64)(dir));
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
	if (listings)
		leave(dir);
	return NEXT(closedir)(dir);
}

/* ---- libc's own scandir() and glob() read by functions that we do not stand in front of ---- */

static void free_all(struct dirent64 **entries, size_t count)
{
	while (count)
		free(entries[--count]);
	free(entries);
}

static struct dirent64 *copy_of(const struct dirent64 *entry)
{
	struct dirent64 *copy = malloc(sizeof(*copy));

	return copy ? memcpy(copy, entry,
			     offsetof(struct dirent64, d_name) + strlen(entry->d_name) + 1)
		    : NULL;
}

/* The number of entries, or -1. */
static int scan(DIR *dir, struct dirent64 ***list, scandir64_filter *filter,
		scandir64_compare *compare)
{
	struct dirent64 **found = NULL, *entry;
	size_t count = 0;

	while ((entry = readdir64(dir))) {
		struct dirent64 **more;

		if (filter && !filter(entry))
			continue;
		more = realloc(found, (count + 1) * sizeof(*found));
		if (more)
			found = more;
		if (!more || !(found[count] = copy_of(entry))) {
			free_all(found, count);
			return -1;
		}
		count++;
	}
	if (compare && count)
		qsort(found, count, sizeof(*found), (int (*)(const void *, const void *))compare);
	*list = found;
	return (int)count;
}

/* False: nothing of ours is in that directory. */
static bool scan_ours(const char *path, struct dirent64 ***list, scandir64_filter *filter,
		      scandir64_compare *compare, int *count)
{
	int before = errno;
	DIR *dir;
	bool ours;

	if (!legacy_may_add(path))
		return false;
	dir = opendir(path);
	if (!dir) {
		*count = -1;
		return true;
	}
	ours = find(dir);
	if (ours)
		*count = scan(dir, list, filter, compare);
	closedir(dir);
	errno = ours && *count < 0 ? ENOMEM : before;
	return ours;
}

int scandir(const char *path, struct dirent ***list, scandir_filter *filter,
	    scandir_compare *compare)
{
	int count = 0;

	if (scan_ours(path, (struct dirent64 ***)list, (scandir64_filter *)filter,
		      (scandir64_compare *)compare, &count))
		return count;
	return NEXT(scandir)(path, list, filter, compare);
}

int scandir64(const char *path, struct dirent64 ***list, scandir64_filter *filter,
	      scandir64_compare *compare)
{
	int count = 0;

	if (scan_ours(path, list, filter, compare, &count))
		return count;
	return NEXT(scandir64)(path, list, filter, compare);
}

static void glob_close(void *dir)
{
	closedir(dir);
}

/* glob() takes the functions that it reads by; ours then see what it looks for. */
#define GLOB(pattern, flags, found, call)                                                          \
	({                                                                                         \
		if (legacy_may_add(pattern) && !((flags)&GLOB_ALTDIRFUNC)) {                       \
			(found)->gl_opendir = (void *)opendir;                                     \
			(found)->gl_readdir = (void *)readdir64;                                   \
			(found)->gl_closedir = glob_close;                                         \
			(found)->gl_stat = (void *)stat64;                                         \
			(found)->gl_lstat = (void *)lstat64;                                       \
			(flags) |= GLOB_ALTDIRFUNC;                                                \
		}                                                                                  \
		(call);                                                                            \
	})

int glob(const char *pattern, int flags, int (*error)(const char *, int), glob_t *found)
{
	return GLOB(pattern, flags, found, NEXT(glob)(pattern, flags, error, found));
}

int glob64(const char *pattern, int flags, int (*error)(const char *, int), glob64_t *found)
{
	return GLOB(pattern, flags, found, NEXT(glob64)(pattern, flags, error, found));
}
