/* SPDX-License-Identifier: MIT */
#include "pin/pagemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/event.h"
#include "base/log.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/slab.h"
#include "base/sys.h"
#include "iommufd/path.h"
#include "pin/deferred.h"

struct pagemap {
	struct object object;
	unsigned int generation; /* of the process whose pages it shows */
	bool native;		 /* the group path is taken: lookups are only told */
};

static struct slab pagemaps = {.size = sizeof(struct pagemap)};

static void release(struct object *object)
{
	slab_free(&pagemaps, object);
}

/*
 * /proc/PID/pagemap or /proc/PID/task/TID/pagemap, PID being this process: 1.
 * Another file: 0. A negative errno when it cannot be told.
 */
static int is_named_own(int fd)
{
	char self[64], link[128];
	char *pid;
	ssize_t len;

	format(self, sizeof(self), "/proc/self/fd/%d", fd);
	len = sys_readlinkat(AT_FDCWD, self, link, sizeof(link) - 1);
	if (len <= 0)
		return len == -ENOENT ? 0 : (int)len;
	link[len] = '\0';
	pid = strstr(link, "/task/");
	if (!pid)
		pid = strstr(link, "/pagemap");
	if (!pid)
		return 0;
	*pid = '\0';
	pid = strrchr(link, '/');
	return pid && strtol(pid + 1, NULL, 10) == sys_getpid();
}

/* The same, with what was found the last time: while a process lives its pagemap is one file. */
static int is_own(int fd, struct stat *st)
{
	static struct {
		unsigned int generation;
		dev_t dev;
		ino_t ino;
	} own;
	int ret = sys_fstat(fd, st);

	if (ret)
		return ret == -EBADF ? 0 : ret;
	if (own.generation && own.generation == process_generation() && own.dev == st->st_dev &&
	    own.ino == st->st_ino)
		return 1;
	ret = is_named_own(fd);
	if (ret > 0) {
		own.generation = process_generation();
		own.dev = st->st_dev;
		own.ino = st->st_ino;
	}
	return ret;
}

static int enter(int fd, const struct stat *st, bool native)
{
	struct pagemap *pagemap = slab_alloc(&pagemaps);
	int ret;

	if (!pagemap)
		return -ENOMEM;
	pagemap->object.kind = FD_PAGEMAP;
	pagemap->object.release = release;
	pagemap->object.dev = st->st_dev;
	pagemap->object.ino = st->st_ino;
	pagemap->generation = process_generation();
	pagemap->native = native;
	if (native && event_wanted())
		deferred_told_natively();
	object_hold(&pagemap->object);
	ret = fdtab_install(fd, &pagemap->object);
	object_release(&pagemap->object);
	return ret;
}

/* As fdtab_prove. */
static int prove(int fd)
{
	struct stat st;
	int ret = is_own(fd, &st);

	if (ret <= 0)
		return ret;
	ret = enter(fd, &st, false);
	return ret ? ret : 1;
}

_Atomic(bool) pagemap_served;

int pagemap_opened(int fd)
{
	struct stat st;
	int ret = is_own(fd, &st);

	if (ret <= 0)
		return ret;
	ret = path_choose();
	if (ret > 0 && settings.mode != MODE_GROUP && !event_wanted())
		return 0;
	if (!ret) {
		fdtab_prove = prove;
		pagemap_served = true;
	}
	return ret < 0 ? ret : enter(fd, &st, ret);
}

/* Of a descriptor that came by fork() the pages are the parent's. */
static bool shows_us(struct pagemap *pagemap)
{
	/* There was no memory to tell when it was opened. */
	if (!pagemap->generation)
		pagemap->generation = process_generation();
	return pagemap->generation == process_generation();
}

bool pagemap_is_served(struct object *object)
{
	struct pagemap *pagemap = (struct pagemap *)object;

	return object && object->kind == FD_PAGEMAP && shows_us(pagemap) && !pagemap->native;
}
