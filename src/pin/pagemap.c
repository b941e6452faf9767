/* SPDX-License-Identifier: MIT */
#include "pin/pagemap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/vfs.h>

#include "backend/backend.h"
#include "backend/path.h"
#include "base/event.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/slab.h"
#include "base/sys.h"
#include "pin/deferred.h"
#include "uapi/pagemap.h"
#include "pin/store.h"

struct pagemap {
	struct object object;
	unsigned int generation; /* of the process whose pages it shows */
	bool native;		 /* the group path is taken: the kernel answers lookups */
};

static struct slab pagemaps = {.size = sizeof(struct pagemap)};

static void release(struct object *object)
{
	slab_free(&pagemaps, object);
}

static int open_again(const struct object *object, int fd, int flags)
{
	int ret = fd < 0 ? fd : pagemap_opened(fd);

	(void)object, (void)flags;
	return ret ? ret : fd;
}

static const struct object_operations operations = {
	.kind = FD_PAGEMAP,
	.traced = TRACE_PAGEMAP,
	.release = release,
	.open_again = open_again,
};

/* ---- whose pages it shows ---- */

#define PROC_SUPER_MAGIC 0x9fa0

/*
 * 1 if fd is the pagemap of any process, by whatever name it was opened; 0 if not; a
 * negative errno when that is unknown. Reads nothing from the file: if it is another one,
 * a read could wait, or take data that another reader needs. Only a pagemap reads the
 * argument of PAGEMAP_SCAN. On kernels without that ioctl the name decides.
 */
static int is_any_pagemap(int fd, const struct stat *st)
{
	char name[128];
	const char *base;
	struct statfs fs;
	ssize_t len;
	int ret;

	if (!pagemap_is_like(st))
		return 0;
	ret = (int)sys_call(SYS_fstatfs, fd, (long)&fs, 0, 0, 0, 0);
	if (ret || fs.f_type != PROC_SUPER_MAGIC)
		return ret;
	if (sys_ioctl(fd, PAGEMAP_SCAN, NULL) == -EFAULT)
		return 1;
	len = proc_name_of(fd, name, sizeof(name));
	if (len < 0)
		return (int)len;
	base = strrchr(name, '/');
	return base && !strcmp(base, "/pagemap");
}

#define CHALLENGE 64 /* pages */

/* Memory in which exactly those pages are present whose bit is set. */
static uint8_t *make_challenge(uint64_t bits)
{
	const size_t len = CHALLENGE * PIN_PAGE_SIZE;
	volatile uint8_t *memory = sys_memory(len);

	if (sys_is_error((void *)memory))
		return (uint8_t *)memory;
	/* mlockall() has populated it, and a huge page would. */
	sys_call(SYS_munlock, (long)memory, (long)len, 0, 0, 0, 0);
	sys_madvise((void *)memory, len, MADV_NOHUGEPAGE);
	sys_madvise((void *)memory, len, MADV_DONTNEED);
	for (size_t i = 0; i < CHALLENGE; i++)
		if (bits >> i & 1)
			memory[i * PIN_PAGE_SIZE] = 1;
	return (uint8_t *)memory;
}

/*
 * In each mount of /proc names and numbers of processes mean something else, so this asks
 * the file itself. It maps memory in which random pages are present. Only a file that
 * shows the memory of this process shows the same pages.
 */
static int shows_challenge(int fd)
{
	uint64_t bits, shown = 0, entries[CHALLENGE];
	uint8_t *memory;
	ssize_t len = sys_call(SYS_getrandom, (long)&bits, sizeof(bits), GRND_NONBLOCK, 0, 0, 0);

	if (len != sizeof(bits))
		return len < 0 ? (int)len : -EAGAIN;
	memory = make_challenge(bits);
	if (sys_is_error(memory))
		return (int)(intptr_t)memory;
	len = sys_pread(fd, entries, sizeof(entries),
			(off_t)((uintptr_t)memory / PIN_PAGE_SIZE * sizeof(*entries)));
	sys_memory_free(memory, CHALLENGE * PIN_PAGE_SIZE);
	if (len < 0)
		return (int)len;
	/* It shows a process without memory, or with less. */
	if (len != sizeof(entries))
		return 0;
	for (size_t i = 0; i < CHALLENGE; i++)
		if (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED))
			shown |= UINT64_C(1) << i;
	return shown == bits;
}

/*
 * 1: fd shows the memory of this process. 0: it does not, or is no pagemap. A negative
 * errno when that is unknown. A file that arrived may have been opened before this
 * process executed another program, so its inode does not identify it.
 */
static int is_own(int fd, bool arrived, struct stat *st)
{
	int ret = sys_fstat(fd, st);

	if (ret)
		return ret == -EBADF ? 0 : ret;
	if (!arrived && proc_is_pagemap(st))
		return 1;
	ret = is_any_pagemap(fd, st);
	if (ret > 0)
		ret = shows_challenge(fd);
	if (ret > 0)
		proc_keep_pagemap(fd);
	return ret;
}

/* 0 if the library has the files that it needs to answer lookups, or a negative errno. */
static int can_serve(void)
{
	int maps = proc_maps(), own = proc_pagemap();

	return maps < 0 ? maps : own < 0 ? own : 0;
}

static int say_refused(int error)
{
	static int last;

	event_failure("cannot tell whose pages a pagemap shows", 0, error);
	if (error != last)
		log_error("cannot tell whose pages a pagemap shows, so opening it fails (%e): "
			  "mount /proc, readable, before the program starts",
			  error);
	last = error;
	return error;
}

static int enter(int fd, const struct stat *st, bool native)
{
	struct pagemap *pagemap = slab_alloc(&pagemaps);

	if (!pagemap)
		return -ENOMEM;
	pagemap->object.ops = &operations;
	pagemap->object.dev = st->st_dev;
	pagemap->object.ino = st->st_ino;
	pagemap->generation = process_generation();
	pagemap->native = native;
	if (native && event_wanted())
		deferred_told_natively();
	return fdtab_install(fd, &pagemap->object);
}

/* As fdtab_prove. */
static int prove(int fd)
{
	struct stat st;
	int ret = is_own(fd, false, &st);

	if (ret > 0)
		ret = can_serve();
	else if (!ret)
		return 0;
	if (!ret)
		ret = enter(fd, &st, false);
	return ret ? say_refused(ret) : 1;
}

_Atomic(bool) pagemap_served;

/* On the group path no descriptor is refused. */
static int take(int fd, bool arrived)
{
	struct stat st;
	int own = is_own(fd, arrived, &st);
	int choice;

	if (!own)
		return 0;
	choice = path_choose();
	if (choice > 0 && settings.mode != MODE_GROUP && !backend_take_uring())
		choice = 0;
	if (choice > 0 && (own < 0 || (settings.mode != MODE_GROUP && !event_wanted())))
		return 0;
	if (choice <= 0)
		fdtab_prove = prove;
	if (choice < 0)
		return choice;
	if (!choice) {
		pagemap_served = true;
		own = own < 0 ? own : can_serve();
	}
	if (own < 0)
		return say_refused(own);
	return enter(fd, &st, choice);
}

int pagemap_opened(int fd)
{
	return take(fd, false);
}

int pagemap_arrived(int fd)
{
	return take(fd, true);
}

/* A descriptor that was inherited by fork() shows the parent's pages. */
static bool shows_us(struct pagemap *pagemap)
{
	/* There was no memory to find out the generation when it was opened. */
	if (!pagemap->generation)
		pagemap->generation = process_generation();
	return pagemap->generation == process_generation();
}

bool pagemap_is_served(struct object *object)
{
	struct pagemap *pagemap = (struct pagemap *)object;

	return object_kind(object) == FD_PAGEMAP && shows_us(pagemap) && !pagemap->native;
}
