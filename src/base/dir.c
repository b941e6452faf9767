/* SPDX-License-Identifier: MIT */
#include "base/dir.h"

#include <errno.h>
#include <stdint.h>

#include "base/limit.h"
#include "base/lock.h"
#include "base/sys.h"

/* The record of getdents64(2); libc's headers name it differently. */
struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

/* The deepest nesting of dir_each(): devices, processes, descriptors, and one to spare. */
#define LEVELS 4

int dir_each_with(struct dir_buffer *buffer, int dir, int what(const char *name, void *arg),
		  void *arg)
{
	const char *buf = buffer->bytes;
	ssize_t len = 0;
	int ret = 0;

	if (dir < 0)
		return dir;
	while (!ret && (len = sys_getdents(dir, buffer->bytes, sizeof(buffer->bytes))) > 0) {
		for (ssize_t at = 0; !ret && at < len;) {
			const struct linux_dirent64 *entry = (struct linux_dirent64 *)(buf + at);

			at += entry->d_reclen;
			ret = what(entry->d_name, arg);
		}
	}
	sys_close(dir);
	return len < 0 ? (int)len : ret;
}

int dir_each_in(int dir, int what(const char *name, void *arg), void *arg)
{
	static struct dir_buffer buffers[LEVELS];
	static unsigned int level;
	int ret;

	lock_assert_held();
	if (level == LEVELS) {
		if (dir >= 0)
			sys_close(dir);
		return -ELOOP;
	}
	ret = dir_each_with(&buffers[level++], dir, what, arg);
	level--;
	return ret;
}

int dir_each(const char *path, int what(const char *name, void *arg), void *arg)
{
	return dir_each_in(limit_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), what, arg);
}
