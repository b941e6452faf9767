/* SPDX-License-Identifier: MIT */
#include "base/dir.h"

#include <stdint.h>

#include "base/sys.h"

/* What getdents64(2) writes; libc's headers have it under other names. */
struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

int dir_each(const char *path, int what(const char *name, void *arg), void *arg)
{
	return dir_each_in(sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), what, arg);
}

int dir_each_in(int dir, int what(const char *name, void *arg), void *arg)
{
	_Alignas(struct linux_dirent64) char buf[2048];
	ssize_t len = 0;
	int ret = 0;

	if (dir < 0)
		return dir;
	while (!ret && (len = sys_getdents(dir, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; !ret && at < len;) {
			const struct linux_dirent64 *entry = (struct linux_dirent64 *)(buf + at);

			at += entry->d_reclen;
			ret = what(entry->d_name, arg);
		}
	}
	sys_close(dir);
	return len < 0 ? (int)len : ret;
}
