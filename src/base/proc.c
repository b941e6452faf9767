/* SPDX-License-Identifier: MIT */
#include "base/limit.h"
#include "base/proc.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <linux/memfd.h>
#include <stdlib.h>
#include <string.h>

#include "base/hidden.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/rights.h"
#include "base/sys.h"

static struct hidden root = HIDDEN_NONE;
static struct hidden maps = HIDDEN_NONE, pagemap = HIDDEN_NONE;
static unsigned int generation; /* of the process that maps and pagemap show */

/* An empty directory, over which /proc is yet to be mounted, is not kept. */
static int proc_root(void)
{
	char self[16];
	ssize_t len;
	int fd;

	if (hidden_check(&root))
		return root.fd;
	fd = limit_open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	len = sys_readlinkat(fd, "self", self, sizeof(self));
	if (len <= 0) {
		sys_close(fd);
		return len ? (int)len : -ENOENT;
	}
	hidden_keep(&root);
	fd = hidden_take(&root, fd);
	return fd ? fd : root.fd;
}

int proc_open(const char *name, int flags)
{
	int dir = proc_root();

	return dir < 0 ? dir : limit_openat(dir, name, flags | O_CLOEXEC);
}

ssize_t proc_readlink(const char *name, char *buf, size_t size)
{
	int dir = proc_root();

	return dir < 0 ? dir : sys_readlinkat(dir, name, buf, size);
}

int proc_stat(const char *name, struct stat *st)
{
	int dir = proc_root();

	return dir < 0 ? dir : sys_fstatat(dir, name, st, 0);
}

ssize_t proc_name_of(int fd, char *to, size_t size)
{
	char name[32];
	ssize_t len;

	format(name, sizeof(name), "self/fd/%d", fd);
	len = proc_readlink(name, to, size - 1);
	if (len >= 0)
		to[len] = '\0';
	return len;
}

/* ---- links of descriptors ---- */

int proc_number_of(const char *path)
{
	const char *name = strrchr(path, '/');
	char *end;
	long number;

	name = name ? name + 1 : path;
	if (*name < '0' || *name > '9')
		return -1;
	number = strtol(name, &end, 10);
	return *end || number > INT_MAX ? -1 : (int)number;
}

/* Opens a new file, which no other process has, and checks whether dir shows it. */
static int shows_new_file(int dirfd, const char *dir)
{
	int fd = (int)limit_call(SYS_memfd_create, (long)"noiommu-shim", MFD_CLOEXEC, 0, 0);
	static char path[PATH_MAX];
	struct stat st, shown;
	int ret;

	if (fd < 0)
		return fd;
	format(path, sizeof(path), "%s/%d", dir, fd);
	ret = sys_fstat(fd, &st);
	if (!ret)
		ret = !sys_fstatat(dirfd, path, &shown, 0) && shown.st_dev == st.st_dev &&
		      shown.st_ino == st.st_ino;
	sys_close(fd);
	return ret;
}

int proc_is_own_entry(int dirfd, const char *path)
{
	const char *name = strrchr(path, '/');
	size_t len = name ? (size_t)(name - path) : 0;
	static char dir[PATH_MAX];
	struct stat st, own;

	lock_assert_held();
	if (len >= sizeof(dir) - 16)
		return 0;
	format(dir, sizeof(dir), ".");
	if (name) {
		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	if (sys_fstatat(dirfd, dir, &st, 0) || !S_ISDIR(st.st_mode))
		return 0;
	if (!proc_stat("self/fd", &own) && st.st_dev == own.st_dev && st.st_ino == own.st_ino)
		return 1;
	return shows_new_file(dirfd, dir);
}

/* ---- maps and pagemap ---- */

static int own(struct hidden *file, const char *name)
{
	int fd;

	if (generation != process_generation()) {
		hidden_close(&maps);
		hidden_close(&pagemap);
		generation = process_generation();
	}
	if (hidden_check(file))
		return file->fd;
	fd = proc_open(name, O_RDONLY);
	if (fd >= 0)
		fd = hidden_take(file, fd);
	return fd ? fd : file->fd;
}

int proc_maps(void)
{
	return own(&maps, "self/maps");
}

int proc_pagemap(void)
{
	return own(&pagemap, "self/pagemap");
}

bool proc_is_pagemap(const struct stat *st)
{
	return pagemap.fd >= 0 && generation == process_generation() &&
	       pagemap.object.dev == st->st_dev && pagemap.object.ino == st->st_ino;
}

void proc_keep_pagemap(int fd)
{
	if (proc_pagemap() >= 0)
		return;
	fd = limit_dup(fd);
	if (fd >= 0)
		hidden_take(&pagemap, fd);
}

static void open_all(void)
{
	proc_root();
	proc_maps();
	proc_pagemap();
}

void proc_start(void)
{
	if (rights_may_sys_rawio())
		open_all();
}

void proc_forked(void)
{
	if (root.fd >= 0)
		open_all();
}
