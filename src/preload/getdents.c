/* SPDX-License-Identifier: MIT */
/* Directories without a stream: getdents64() and getdirentries(). */
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "base/user.h"
#include "door/name.h"
#include "preload/next.h"

/* The largest number of entries, and the longest entry. */
#define ENTRIES	   256
#define ENTRY_SIZE 40

/* Entries in the format of getdents64(2). */
struct packed {
	size_t len;
	_Alignas(struct dirent64) char bytes[ENTRIES * ENTRY_SIZE];
};

static void pack(const char *name, unsigned char type, void *arg)
{
	struct packed *packed = arg;
	struct dirent64 *entry = (struct dirent64 *)(packed->bytes + packed->len);
	size_t len = offsetof(struct dirent64, d_name) + strlen(name) + 1;

	len = (len + 7) & ~(size_t)7;
	if (len > sizeof(packed->bytes) - packed->len)
		return;
	entry->d_ino = 1;
	entry->d_type = type;
	entry->d_reclen = (unsigned short)len;
	strcpy(entry->d_name, name);
	packed->len += len;
}

/* The view's entries, all in one call: the file position then shows that they were read. */
static ssize_t put_packed(const struct packed *packed, void *buf, size_t size)
{
	int ret;

	if (size < packed->len)
		return result(-EINVAL);
	ret = user_write(buf, packed->bytes, packed->len);
	return ret ? result(ret) : (ssize_t)packed->len;
}

/* Too large for the stack of a signal handler. NULL: no memory. */
static struct packed *packed_get(void)
{
	void *memory = sys_memory(sizeof(struct packed));

	return sys_is_error(memory) ? NULL : memory;
}

static void packed_put(struct packed *packed)
{
	sys_memory_free(packed, sizeof(*packed));
}

static ssize_t list_alone(int fd, void *buf, size_t size)
{
	struct packed *packed = packed_get();
	ssize_t ret;

	if (!packed)
		return result(-ENOMEM);
	pack(".", DT_DIR, packed);
	pack("..", DT_DIR, packed);
	name_list_fd(fd, pack, packed);
	ret = put_packed(packed, buf, size);
	packed_put(packed);
	if (ret > 0)
		lseek(fd, INT_MAX, SEEK_SET);
	return ret;
}

typedef ssize_t getdents_call(int fd, void *buf, size_t size);

/*
 * The view's entries come first, with some of the kernel's: the directory always has
 * those, and reading them moves the file position.
 */
static ssize_t list_more(int fd, void *buf, size_t size, getdents_call *call)
{
	struct packed *packed = packed_get();
	ssize_t ours, ret;

	if (!packed)
		return result(-ENOMEM);
	name_list_fd(fd, pack, packed);
	ours = put_packed(packed, buf, size);
	packed_put(packed);
	if (ours < 0)
		return ours;
	ret = call(fd, (char *)buf + ours, size - (size_t)ours);
	return ret < 0 ? ret : ours + ret;
}

static __attribute__((noinline)) bool is_standin_dir(int fd)
{
	struct stat st;

	return fdtab_kind(fd) == FD_STANDIN && !fstat(fd, &st) && S_ISDIR(st.st_mode);
}

/* Leaves out the entries of hidden descriptors. Returns the length of the others. */
static ssize_t without_hidden(int fd, char *buf, ssize_t len)
{
	ssize_t kept = 0;

	for (ssize_t at = 0; at < len;) {
		struct dirent64 *entry = (struct dirent64 *)(buf + at);
		unsigned short size = entry->d_reclen;

		if (!name_is_hidden_entry(fd, entry->d_name)) {
			if (kept != at)
				memmove(buf + kept, entry, size);
			kept += size;
		}
		at += size;
	}
	return kept;
}

/* Where all entries of one call are hidden, the next call has others. 0 is the end. */
static ssize_t list_kernels(int fd, void *buf, size_t size, getdents_call *call)
{
	ssize_t len, kept;

	do {
		len = call(fd, buf, size);
		kept = len > 0 ? without_hidden(fd, buf, len) : len;
	} while (len > 0 && !kept);
	return kept;
}

static ssize_t entries(int fd, void *buf, size_t size, getdents_call *call)
{
	int before = errno;
	off_t pos = lseek(fd, 0, SEEK_CUR);

	errno = before;
	if (pos >= 0 && is_standin_dir(fd))
		return pos ? 0 : list_alone(fd, buf, size);
	if (pos || !name_may_list_fd(fd))
		return list_kernels(fd, buf, size, call);
	return list_more(fd, buf, size, call);
}

ssize_t getdents64(int fd, void *buf, size_t size)
{
	return entries(fd, buf, size, NEXT(getdents64));
}

static ssize_t getdents_by_number(int fd, void *buf, size_t size)
{
	return NEXT(syscall)(SYS_getdents64, fd, buf, size);
}

bool dir_by_number(long nr, const long a[6], long *ret)
{
	if (nr != SYS_getdents64)
		return false;
	*ret = entries((int)a[0], (void *)a[1], (size_t)a[2], getdents_by_number);
	return true;
}

ssize_t getdirentries(int fd, char *buf, size_t size, off_t *pos)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t ret = getdents64(fd, buf, size);

	if (ret >= 0)
		*pos = at;
	return ret;
}

ALIAS(getdirentries64, getdirentries);
