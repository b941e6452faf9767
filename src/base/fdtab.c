/* SPDX-License-Identifier: MIT */
#include "base/fdtab.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/slab.h"
#include "base/sys.h"

_Atomic(unsigned char) fdtab_kinds[FDTAB_LOW];
int (*fdtab_prove)(int fd);

struct entry {
	struct entry *next;
	struct object *object;
	int fd;
};

#define BUCKETS 64

static struct entry *buckets[BUCKETS];
static struct slab entries = {.size = sizeof(struct entry)};

int object_identify(struct object *object, int fd)
{
	struct stat st;
	int ret = sys_fstat(fd, &st);

	if (ret)
		return ret;
	object->dev = st.st_dev;
	object->ino = st.st_ino;
	return 0;
}

/* The kernel sets this in every open() of a 64-bit process; libc defines O_LARGEFILE as 0. */
#define KERNEL_O_LARGEFILE 0100000

int object_file_flags(int flags)
{
	return (flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)) | KERNEL_O_LARGEFILE;
}

size_t object_name(const struct object *object, char *to, size_t size)
{
	return object->ops->name ? object->ops->name(object, to, size) : 0;
}

bool object_is_nameless(const struct object *object)
{
	char first[2];

	return object_name(object, first, sizeof(first)) && *first != '/';
}

void object_hold(struct object *object)
{
	if (object)
		object->refs++;
}

void object_release(struct object *object)
{
	if (object && !--object->refs)
		object->ops->release(object);
}

static struct entry **find(int fd)
{
	struct entry **at = &buckets[(unsigned int)fd % BUCKETS];

	while (*at && (*at)->fd != fd)
		at = &(*at)->next;
	return at;
}

/* All numbers that share a place are in one bucket. */
static void update_kind(int fd)
{
	unsigned int place = (unsigned int)fd % FDTAB_LOW;
	unsigned char kind = FD_NOT_OURS;

	for (struct entry *entry = buckets[place % BUCKETS]; entry; entry = entry->next)
		if ((unsigned int)entry->fd == place)
			kind |= (unsigned char)entry->object->ops->kind;
		else if ((unsigned int)entry->fd % FDTAB_LOW == place)
			kind |= FDTAB_SHARED;
	if ((unsigned int)fd == place)
		atomic_store(&fdtab_kinds[place], kind);
	else if (kind & FDTAB_SHARED)
		atomic_fetch_or(&fdtab_kinds[place], FDTAB_SHARED);
	else
		atomic_fetch_and(&fdtab_kinds[place], (unsigned char)~FDTAB_SHARED);
}

static struct entry *new_entry(int fd)
{
	struct entry *entry = slab_alloc(&entries);

	if (!entry)
		return NULL;
	entry->fd = fd;
	entry->next = buckets[(unsigned int)fd % BUCKETS];
	buckets[(unsigned int)fd % BUCKETS] = entry;
	return entry;
}

int fdtab_install(int fd, struct object *object)
{
	struct entry *entry = *find(fd);
	struct object *before = entry ? entry->object : NULL;

	lock_assert_held();
	object_hold(object);
	if (!entry)
		entry = new_entry(fd);
	if (!entry) {
		object_release(object);
		return -ENOMEM;
	}
	entry->object = object;
	update_kind(fd);
	/* Last: release() must already see fd as a descriptor of the new object. */
	object_release(before);
	return 0;
}

static bool is_current(int fd, const struct object *object)
{
	struct stat st;
	int ret = sys_fstat(fd, &st);

	/* Any other error says nothing about the file: the entry stays. */
	if (ret)
		return ret != -EBADF;
	return st.st_dev == object->dev && st.st_ino == object->ino;
}

bool fdtab_expect(int fd, enum fd_kind kind)
{
	unsigned char expected = (unsigned char)kind | FDTAB_EXPECTED;
	unsigned char place = fdtab_place(fd);

	if ((unsigned int)fd >= FDTAB_LOW)
		return false;
	if (place == expected)
		return true;
	return (!place || place == (expected | FDTAB_DOUBTED)) &&
	       atomic_compare_exchange_strong(&fdtab_kinds[fd], &place, expected);
}

void fdtab_refuse_guest(void)
{
	log_error("pagemap is refused to a process that has its parent's memory (vfork(), "
		  "or clone() with CLONE_VM) and reads it first: let the parent do that");
}

/*
 * The number can be closed and reopened meanwhile. It is then marked as expected again,
 * and the exchange below fails.
 */
static struct object *prove(int fd)
{
	_Atomic(unsigned char) *place = &fdtab_kinds[fd];
	unsigned char doubted;
	int ret;

	/* What the child of a vfork() has there is not what its parent has. */
	if (process_is_guest()) {
		fdtab_refuse_guest();
		return NULL;
	}
	doubted = atomic_fetch_or(place, FDTAB_DOUBTED) | FDTAB_DOUBTED;
	ret = fdtab_prove(fd);
	if (!ret)
		atomic_compare_exchange_strong(place, &doubted, doubted & FDTAB_SHARED);
	return ret > 0 ? (*find(fd))->object : NULL;
}

struct object *fdtab_get(int fd)
{
	struct entry *entry = *find(fd);

	lock_assert_held();
	if (!entry)
		return fdtab_is_expected(fd) ? prove(fd) : NULL;
	if (is_current(fd, entry->object))
		return entry->object;
	/* What the child of a vfork() has there is not what its parent has. */
	if (!process_is_guest())
		fdtab_drop(fd);
	return NULL;
}

struct object *fdtab_known(int fd)
{
	struct entry *entry = *find(fd);

	lock_assert_held();
	return entry ? entry->object : NULL;
}

void fdtab_drop(int fd)
{
	struct entry **at = find(fd);
	struct entry *entry = *at;
	struct object *object;

	lock_assert_held();
	if (!entry) {
		if (fdtab_is_expected(fd))
			update_kind(fd);
		return;
	}
	object = entry->object;
	*at = entry->next;
	update_kind(fd);
	slab_free(&entries, entry);
	object_release(object);
}

static bool is_stale(const struct entry *entry, unsigned int first, unsigned int last)
{
	return (unsigned int)entry->fd >= first && (unsigned int)entry->fd <= last &&
	       !is_current(entry->fd, entry->object);
}

/* fdtab_drop() can change any other entry, so the scan restarts after each. */
void fdtab_drop_stale(unsigned int first, unsigned int last)
{
	lock_assert_held();
	for (int i = 0; i < BUCKETS; i++) {
		struct entry *entry = buckets[i];

		while (entry && !is_stale(entry, first, last))
			entry = entry->next;
		if (entry) {
			fdtab_drop(entry->fd);
			i = -1;
		}
	}
}

void fdtab_each(const struct object *object, void (*what)(int fd, void *arg), void *arg)
{
	lock_assert_held();
	for (int i = 0; i < BUCKETS; i++)
		for (struct entry *entry = buckets[i]; entry; entry = entry->next)
			if (entry->object == object)
				what(entry->fd, arg);
}

bool fdtab_has(const struct object *object)
{
	lock_assert_held();
	for (int i = 0; i < BUCKETS; i++)
		for (struct entry *entry = buckets[i]; entry; entry = entry->next)
			if (entry->object == object)
				return true;
	return false;
}

int fdtab_next(enum fd_kind kind, int after)
{
	int next = -1;

	lock_assert_held();
	for (int i = 0; i < BUCKETS; i++)
		for (struct entry *entry = buckets[i]; entry; entry = entry->next)
			if (entry->object->ops->kind == kind && entry->fd > after &&
			    (next < 0 || entry->fd < next))
				next = entry->fd;
	return next;
}

bool fdtab_has_vfio(void)
{
	lock_assert_held();
	for (int i = 0; i < BUCKETS; i++)
		for (struct entry *entry = buckets[i]; entry; entry = entry->next)
			if (entry->object->ops->is_vfio)
				return true;
	return false;
}

/* fdtab_kinds[] cannot be copied in the middle of a change, unlike the linked entries. */
void fdtab_rebuild(void (*what)(int fd, enum fd_kind kind))
{
	unsigned char *kinds = sys_memory(FDTAB_LOW);
	bool known = !sys_is_error(kinds);

	for (int fd = 0; fd < FDTAB_LOW; fd++) {
		/* The child may already have opened it itself; it is verified anyway. */
		if (fdtab_is_expected(fd) || !fdtab_kinds[fd])
			continue;
		if (known)
			kinds[fd] = (unsigned char)fdtab_kind(fd);
		atomic_store(&fdtab_kinds[fd], 0);
	}
	memset(buckets, 0, sizeof(buckets));
	slab_abandon();
	for (int hidden = 1; known && hidden >= 0; hidden--)
		for (int fd = 0; fd < FDTAB_LOW; fd++)
			if (kinds[fd] && (kinds[fd] == FD_HIDDEN) == hidden)
				what(fd, (enum fd_kind)kinds[fd]);
	if (known)
		sys_memory_free(kinds, FDTAB_LOW);
}
