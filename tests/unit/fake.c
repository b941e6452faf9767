/* SPDX-License-Identifier: MIT */
/* The fake kernel's system calls, names and descriptors. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/fdtab.h"
#include "fake-inside.h"
#include "uapi/pagemap.h"
#include "uapi/procmap.h"

struct fake fake;

static struct fake_node *nodes;
static ino_t last_ino;

struct descriptor {
	struct fake_open *open; /* NULL: the number is free */
	bool cloexec;
};
static struct descriptor descriptors[FAKE_DESCRIPTORS];
static int top; /* all numbers from here on are free */

/* A lock of an open file; the whole of a range is one number here. */
struct lock {
	struct lock *next;
	const struct fake_open *owner;
	off_t start;
	short type;
};
static struct lock *locks;

static struct {
	long nr;
	unsigned int cmd;
	unsigned int left; /* matching calls to go; 0: none shall fail */
	int error;
	bool failed;
} failing;

static _Alignas(PAGE_LEAST) char user[FAKE_USER_SIZE];

/* ---- the kernel's own memory ---- */

struct chunk {
	struct chunk *next;
	max_align_t data[];
};
static struct chunk *chunks;

void *fake_alloc(size_t size)
{
	struct chunk *chunk = calloc(1, sizeof(*chunk) + size);

	if (!chunk)
		ck_abort_msg("no memory");
	chunk->next = chunks;
	chunks = chunk;
	return chunk->data;
}

void *fake_user(const void *data, size_t len)
{
	ck_assert_uint_le(len, sizeof(user));
	return memcpy(user + sizeof(user) - len, data, len);
}

/* ---- names ---- */

struct fake_node *fake_node_add(enum fake_type type, const char *path)
{
	struct fake_node *node = fake_alloc(sizeof(*node));

	node->type = type;
	snprintf(node->path, sizeof(node->path), "%s", path);
	node->dev = makedev(0, 20 + (unsigned int)type);
	node->ino = ++last_ino;
	node->next = nodes;
	nodes = node;
	return node;
}

void fake_add(const char *path, const char *target)
{
	struct fake_node *node = fake_node_add(target ? FAKE_LINK : FAKE_DIRECTORY, path);

	snprintf(node->target, sizeof(node->target), "%s", target ? target : "");
}

void fake_add_lines(const char *path, const char *lines)
{
	struct fake_node *node = fake_node_add(FAKE_LINES, path);

	snprintf(node->target, sizeof(node->target), "%s", lines);
}

void fake_add_file(const char *path)
{
	fake_node_add(FAKE_TEXT, path);
}

void fake_add_pagemap(const char *path)
{
	fake_node_add(FAKE_PAGEMAP, path);
}

void fake_remove(const char *path)
{
	struct fake_node **at = &nodes;

	while (strcmp((*at)->path, path))
		at = &(*at)->next;
	*at = (*at)->next;
}

static void add_device(unsigned int n, bool group)
{
	char path[128], target[128], bdf[64];
	struct fake_node *node;

	snprintf(bdf, sizeof(bdf), "/sys/devices/pci0000:00/0000:00:%02x.0", 4 + n);
	fake_add(bdf, NULL);
	snprintf(path, sizeof(path), "%s/enable", bdf);
	fake_node_add(FAKE_ENABLE, path)->device = n;
	snprintf(path, sizeof(path), "%s/config", bdf);
	fake_node_add(FAKE_CONFIG, path)->device = n;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", strrchr(bdf, '/') + 1);
	snprintf(target, sizeof(target), "../../..%s", bdf + strlen("/sys"));
	fake_add(path, target);
	snprintf(path, sizeof(path), "/sys/class/vfio-dev/noiommu-vfio%u", n);
	snprintf(target, sizeof(target), "../..%s/vfio-dev/noiommu-vfio%u", bdf + strlen("/sys"),
		 n);
	fake_add(path, target);
	snprintf(path, sizeof(path), "/dev/vfio/devices/noiommu-vfio%u", n);
	node = fake_node_add(FAKE_CDEV, path);
	node->device = n;
	node->rdev = makedev(FAKE_DEVICE_MAJOR, n);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", FAKE_DEVICE_MAJOR, n);
	fake_add(path, target);
	if (!group)
		return;
	snprintf(path, sizeof(path), "%s/iommu_group", bdf);
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%u", FAKE_FIRST_GROUP + n);
	fake_add(path, target);
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%u", FAKE_FIRST_GROUP + n);
	node = fake_node_add(FAKE_GROUP, path);
	node->device = n;
	node->rdev = makedev(FAKE_GROUP_MAJOR, n);
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u", FAKE_GROUP_MAJOR, n);
	snprintf(target, sizeof(target), "../../devices/virtual/vfio/noiommu-%u",
		 FAKE_FIRST_GROUP + n);
	fake_add(path, target);
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%u", FAKE_FIRST_GROUP + n);
	fake_add(path, NULL);
}

void fake_boot(unsigned int devices, bool groups)
{
	static const char *const directories[] = {
		"/",
		"/dev",
		"/dev/vfio",
		"/dev/vfio/devices",
		"/proc",
		"/proc/self/fd",
		"/other/4711/fd",
		"/proc/1/fd",
		"/sys/class/vfio-dev",
		"/sys/kernel/iommu_groups",
	};

	while (chunks) {
		struct chunk *next = chunks->next;

		free(chunks);
		chunks = next;
	}
	nodes = NULL;
	locks = NULL;
	memset(descriptors, 0, (size_t)top * sizeof(descriptors[0]));
	top = 0;
	memset(&failing, 0, sizeof(failing));
	memset(&fake, 0, sizeof(fake));
	fake_memory_boot();
	fake_iommufd_boot();
	fake.rawio = fake.frames_shown = fake.noiommu_enabled = true;
	fake.has_get_pa = fake.has_procmap = fake.has_pagemap_scan = true;
	fake.uring_error = ENOSYS;
	fake.has_uring_tables = true;
	fake.pin_limit = SIZE_MAX;
	fake.descriptor_limit = 1024;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		fake_add(directories[i], NULL);
	fake_add_lines("/proc/thread-self/status", "Seccomp:\t0\n");
	fake_node_add(FAKE_TEXT, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	fake_add("/proc/self", "4711");
	fake_node_add(FAKE_PAGEMAP, "/proc/self/pagemap");
	fake_node_add(FAKE_PAGEMAP, "/proc/1/pagemap");
	fake_node_add(FAKE_MAPS, "/proc/self/maps");
	fake_node_add(FAKE_IOMMU, "/dev/iommu")->rdev = makedev(10, 60);
	fake_add("/sys/dev/char/10:60", "../../devices/virtual/misc/iommu");
	if (groups) {
		struct fake_node *node = fake_node_add(FAKE_CONTAINER, "/dev/vfio/vfio");

		node->rdev = makedev(10, 196);
	}
	for (unsigned int i = 0; i < devices; i++)
		add_device(i, groups);
	/* As the program that is tested has them. */
	for (int fd = 0; fd < 3; fd++)
		fake_open_node(fake_node_add(FAKE_TEXT, "/dev/tty"), O_RDWR);
}

/* path with what "." and ".." in it mean, and without slashes at its end. */
static void normalise(const char *path, char *to)
{
	char *out = to;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && !strncmp(path, "..", 2)) {
			while (out > to && *--out != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			*out++ = '/';
			memcpy(out, path, len);
			out += len;
		}
		path += len;
		path += strspn(path, "/");
	}
	if (out == to)
		*out++ = '/';
	*out = '\0';
}

/* The node of that name. follow: what it leads to where it is a link. */
static struct fake_node *find(const char *path, bool follow)
{
	char plain[PATH_MAX], target[PATH_MAX];

	normalise(path, plain);
	for (struct fake_node *node = nodes; node; node = node->next) {
		if (strcmp(node->path, plain))
			continue;
		if (node->type != FAKE_LINK || !follow)
			return node;
		snprintf(target, sizeof(target), "%s/../%s", node->path, node->target);
		return find(target, true);
	}
	return NULL;
}

static struct fake_node *fdinfo(int fd)
{
	struct fake_node *node;

	if (!fake_open_of(fd))
		return NULL;
	node = fake_alloc(sizeof(*node));
	node->type = FAKE_FDINFO;
	node->about = fake_open_of(fd);
	return node;
}

/* The whole of a name that may be relative to an open directory. */
static const char *absolute(int dirfd, const char *path, char full[PATH_MAX])
{
	struct fake_open *dir = fake_open_of(dirfd);

	if (*path == '/' || !dir)
		return path;
	snprintf(full, PATH_MAX, "%s/%s", dir->node->path, path);
	return full;
}

/* By another number a process has the same descriptors in another mount of /proc. */
static bool entry_of_descriptor(const char *path, int *fd)
{
	return sscanf(path, "/proc/self/fd/%d", fd) == 1 ||
	       sscanf(path, "/other/4711/fd/%d", fd) == 1;
}

static struct fake_node *find_at(int dirfd, const char *path, bool follow)
{
	char full[PATH_MAX];
	int fd;
	unsigned long va;

	path = absolute(dirfd, path, full);
	if (sscanf(path, "/proc/self/fdinfo/%d", &fd) == 1)
		return fdinfo(fd);
	if (sscanf(path, "/proc/self/map_files/%lx-", &va) == 1)
		return fake_mapped(va);
	if (follow && entry_of_descriptor(path, &fd))
		return fake_open_of(fd) ? fake_open_of(fd)->node : NULL;
	return find(path, follow);
}

static ssize_t read_link(int dirfd, const char *path, char *buf, size_t size)
{
	char full[PATH_MAX], text[256];
	const struct fake_node *node;
	struct fake_open *open;
	size_t len;
	int fd;

	path = absolute(dirfd, path, full);
	node = find(path, false);
	if (entry_of_descriptor(path, &fd)) {
		open = fake_open_of(fd);
		if (!open)
			return -ENOENT;
		/* The name of a process in it is its number. */
		if (!strncmp(open->node->path, "/proc/self/", 11))
			snprintf(text, sizeof(text), "/proc/%d/%s", sys_getpid(),
				 open->node->path + 11);
		else
			snprintf(text, sizeof(text), "%s", open->node->path);
	} else {
		if (!node)
			return -ENOENT;
		if (node->type != FAKE_LINK)
			return -EINVAL;
		snprintf(text, sizeof(text), "%s", node->target);
	}
	len = strlen(text) < size ? strlen(text) : size;
	memcpy(buf, text, len);
	return (ssize_t)len;
}

/* ---- open files and descriptors ---- */

struct fake_open *fake_open_of(int fd)
{
	return fd >= 0 && fd < FAKE_DESCRIPTORS ? descriptors[fd].open : NULL;
}

/* As for find_at(), and a file that is open by its name in /proc. */
static struct fake_node *node_at(int dirfd, const char *path, bool follow)
{
	struct fake_open *open;
	char full[PATH_MAX];
	int fd;

	if (!entry_of_descriptor(absolute(dirfd, path, full), &fd))
		return find_at(dirfd, path, follow);
	open = fake_open_of(fd);
	return open ? open->node : NULL;
}

static int lowest_free(int from)
{
	for (int fd = from; fd < FAKE_DESCRIPTORS && (size_t)fd < fake.descriptor_limit; fd++)
		if (!descriptors[fd].open)
			return fd;
	return -EMFILE;
}

static int close_fd(int fd);

static void put_at(int fd, struct fake_open *open, bool cloexec)
{
	descriptors[fd] = (struct descriptor){open, cloexec};
	if (fd >= top)
		top = fd + 1;
}

int fake_open_node(struct fake_node *node, int flags)
{
	struct fake_open *open;
	int fd = lowest_free(0);
	int ret = 0;

	if (fd < 0)
		return fd;
	if (flags & O_DIRECTORY && node->type != FAKE_DIRECTORY)
		return -ENOTDIR;
	if (!fake.rawio && (node->type == FAKE_CDEV || node->type == FAKE_GROUP))
		return -EPERM;
	if (node->type == FAKE_GROUP)
		ret = fake_group_open(node->device);
	if (ret)
		return ret;
	open = fake_alloc(sizeof(*open));
	open->refs = 1;
	open->node = node;
	if (node->type == FAKE_IOMMU)
		open->iommufd = fake_iommufd_new();
	put_at(fd, open, flags & O_CLOEXEC);
	/* The file is opened before it is asked whether it takes the flag. */
	if (flags & O_DIRECT) {
		close_fd(fd);
		return -EINVAL;
	}
	return fd;
}

static void unlock(const struct fake_open *owner, off_t start, bool all)
{
	for (struct lock **at = &locks; *at;)
		if ((*at)->owner == owner && (all || (*at)->start == start))
			*at = (*at)->next;
		else
			at = &(*at)->next;
}

void fake_put(struct fake_open *open)
{
	if (--open->refs)
		return;
	unlock(open, 0, true);
	if (open->node->type == FAKE_URING)
		fake_uring_release(open);
	else if (open->node->type == FAKE_IOMMU)
		fake_iommufd_put(open->iommufd);
	else if (open->node->type == FAKE_CDEV)
		fake_device_release(open);
	else if (open->node->type == FAKE_GROUP)
		fake_group_release(open->node->device);
}

static int close_fd(int fd)
{
	struct fake_open *open = fake_open_of(fd);

	if (!open)
		return -EBADF;
	descriptors[fd].open = NULL;
	fake_put(open);
	return 0;
}

static int close_range_of(unsigned int first, unsigned int last, unsigned int flags)
{
	if (first > last)
		return -EINVAL;
	for (unsigned int fd = first; fd < (unsigned int)top && fd <= last; fd++) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			descriptors[fd].cloexec = true;
		else
			close_fd((int)fd);
	}
	return 0;
}

static int duplicate(struct fake_open *open, int to, bool cloexec)
{
	if (to < 0)
		return to;
	open->refs++;
	close_fd(to);
	put_at(to, open, cloexec);
	return to;
}

/* Locks are of one byte; a range is only asked about. */
static struct lock *conflict(const struct fake_open *open, const struct flock *range)
{
	for (struct lock *lock = locks; lock; lock = lock->next)
		if (lock->owner != open && lock->owner->node == open->node &&
		    lock->start >= range->l_start && lock->start < range->l_start + range->l_len &&
		    (lock->type == F_WRLCK || range->l_type == F_WRLCK))
			return lock;
	return NULL;
}

static int get_lock(const struct fake_open *open, struct flock *range)
{
	const struct lock *lock = conflict(open, range);

	range->l_type = lock ? lock->type : F_UNLCK;
	if (lock) {
		range->l_start = lock->start;
		range->l_len = 1;
	}
	return 0;
}

static int set_lock(struct fake_open *open, const struct flock *range)
{
	struct lock *lock;

	ck_assert_int_eq(range->l_len, 1);
	if (range->l_type != F_UNLCK && conflict(open, range))
		return -EAGAIN;
	unlock(open, range->l_start, false);
	if (range->l_type == F_UNLCK)
		return 0;
	lock = fake_alloc(sizeof(*lock));
	*lock = (struct lock){locks, open, range->l_start, range->l_type};
	locks = lock;
	return 0;
}

static long do_fcntl(int fd, int cmd, long arg)
{
	struct fake_open *open = fake_open_of(fd);

	if (!open)
		return -EBADF;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		if (arg < 0 || (size_t)arg >= fake.descriptor_limit)
			return -EINVAL;
		return duplicate(open, lowest_free((int)arg), cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return descriptors[fd].cloexec ? FD_CLOEXEC : 0;
	case F_SETFD:
		descriptors[fd].cloexec = arg & FD_CLOEXEC;
		return 0;
	case F_GETFL:
		return O_RDWR | open->flags;
	case F_SETFL:
		open->flags = (int)arg & (O_APPEND | O_NONBLOCK | O_NOATIME);
		return 0;
	case F_OFD_SETLK:
		return set_lock(open, (const struct flock *)arg);
	case F_OFD_GETLK:
		return get_lock(open, (struct flock *)arg);
	default:
		return -EINVAL;
	}
}

static unsigned int count_descriptors(bool hidden)
{
	unsigned int n = 0;

	/* 0 to 2 are there from the start. */
	for (int fd = 3; fd < top; fd++)
		if (descriptors[fd].open && (fdtab_kind(fd) == FD_HIDDEN) == hidden)
			n++;
	return n;
}

unsigned int fake_visible_descriptors(void)
{
	return count_descriptors(false);
}

unsigned int fake_hidden_descriptors(void)
{
	return count_descriptors(true);
}

unsigned int fake_open_cdevs(unsigned int device)
{
	unsigned int n = 0;

	for (int fd = 0; fd < top; fd++)
		if (descriptors[fd].open && descriptors[fd].open->node->type == FAKE_CDEV &&
		    descriptors[fd].open->node->device == device)
			n++;
	return n;
}

/* ---- what is done to them ---- */

static int fill_stat(const struct fake_node *node, struct stat *st)
{
	*st = (struct stat){
		.st_dev = node->dev,
		.st_ino = node->ino,
		.st_rdev = node->rdev,
		.st_size = node->size,
	};
	if (node->type == FAKE_DIRECTORY)
		st->st_mode = S_IFDIR | 0755;
	else if (node->type == FAKE_LINK)
		st->st_mode = S_IFLNK | 0777;
	else
		st->st_mode = node->rdev		   ? S_IFCHR | 0600
			      : node->type == FAKE_PAGEMAP ? S_IFREG | 0400
							   : S_IFREG | 0600;
	return 0;
}

/* show_fd_locks() in fs/locks.c; neighbouring locks are one there. */
static ssize_t read_fdinfo(const struct fake_open *about, char *buf, size_t size, off_t pos)
{
	static char text[65536];
	int len = snprintf(text, sizeof(text), "pos:\t0\nflags:\t02\n");

	for (const struct lock *lock = locks; lock; lock = lock->next)
		if (lock->owner == about)
			len += snprintf(text + len, sizeof(text) - (size_t)len,
					"lock:\t1: OFDLCK  ADVISORY  %s -1 00:05:88 %ld %ld\n",
					lock->type == F_RDLCK ? "READ" : "WRITE", (long)lock->start,
					(long)lock->start);
	ck_assert_int_lt(len, sizeof(text));
	if (pos >= len)
		return 0;
	/* A read ends with a page of the kernel's own. */
	if (size > 1000)
		size = 1000;
	if (size > (size_t)(len - pos))
		size = (size_t)(len - pos);
	memcpy(buf, text + pos, size);
	return (ssize_t)size;
}

static ssize_t read_bytes(const struct fake_node *node, void *buf, size_t len, off_t pos)
{
	bool config = node->type == FAKE_CONFIG;
	const void *from = config ? (const void *)fake.config[node->device] : node->target;
	size_t size = config ? sizeof(fake.config[0]) : strlen(node->target);

	if ((size_t)pos >= size)
		return 0;
	if (len > size - (size_t)pos)
		len = size - (size_t)pos;
	memcpy(buf, (const char *)from + pos, len);
	return (ssize_t)len;
}

static ssize_t write_config(const struct fake_node *node, const void *buf, size_t len, off_t pos)
{
	ck_assert_int_eq(node->type, FAKE_CONFIG);
	memcpy(fake.config[node->device] + pos, buf, len);
	return (ssize_t)len;
}

static ssize_t do_read(const struct fake_open *open, void *buf, size_t len, off_t pos)
{
	char text[2] = {fake.noiommu_enabled ? 'Y' : 'N', '\n'};

	if (open->node->type == FAKE_FDINFO)
		return read_fdinfo(open->node->about, buf, len, pos);

	if (open->node->type == FAKE_PAGEMAP)
		return fake_pagemap_read(open->node, buf, len, pos);
	if (open->node->type == FAKE_MAPS)
		return fake_maps_read(buf, len, pos);
	if (open->node->type == FAKE_CONFIG || open->node->type == FAKE_LINES)
		return read_bytes(open->node, buf, len, pos);
	if (open->node->type == FAKE_ENABLE)
		text[0] = (char)('0' + fake_device_is_bound(open->node->device) +
				 fake.enabled[open->node->device]);
	else if (open->node->type != FAKE_TEXT)
		return -EINVAL;
	if ((size_t)pos >= sizeof(text))
		return 0;
	if (len > sizeof(text) - (size_t)pos)
		len = sizeof(text) - (size_t)pos;
	memcpy(buf, text + pos, len);
	return (ssize_t)len;
}

static ssize_t do_write(int fd, const char *buf, size_t len)
{
	ck_assert_int_eq(fd, 2);
	ck_assert_uint_lt(strlen(fake.log) + len, sizeof(fake.log));
	memcpy(fake.log + strlen(fake.log), buf, len);
	return (ssize_t)len;
}

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

/* The position counts the entries that were read. */
static ssize_t do_getdents(struct fake_open *dir, char *buf, size_t size)
{
	const struct fake_node *node = nodes;
	size_t path_len = strlen(dir->node->path);
	size_t done = 0;

	for (off_t i = 0; i < 2 || node; i++) {
		const char *name = i ? ".." : ".";
		struct linux_dirent64 *entry = (void *)(buf + done);
		size_t len;

		if (i >= 2) {
			name = node->path + path_len + 1;
			len = strncmp(node->path, dir->node->path, path_len) ||
			      node->path[path_len] != '/' || strchr(name, '/');
			node = node->next;
			if (len)
				continue;
		}
		if (i < dir->pos)
			continue;
		len = (offsetof(struct linux_dirent64, d_name) + strlen(name) + 1 + 7) & ~(size_t)7;
		if (done + len > size)
			return done ? (ssize_t)done : -EINVAL;
		entry->d_ino = (uint64_t)i + 1;
		entry->d_reclen = (unsigned short)len;
		strcpy(entry->d_name, name);
		done += len;
		dir->pos = i + 1;
	}
	return (ssize_t)done;
}

static off_t do_lseek(struct fake_open *open, off_t pos, int whence)
{
	if (whence == SEEK_CUR)
		pos += open->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (pos < 0)
		return -EINVAL;
	open->pos = pos;
	return pos;
}

static long do_ioctl(struct fake_open *open, unsigned int cmd, void *arg)
{
	switch (open->node->type) {
	case FAKE_IOMMU:
		return fake_iommufd_ioctl(open->iommufd, cmd, arg);
	case FAKE_CDEV:
		return fake_device_ioctl(open, cmd, arg);
	case FAKE_MAPS:
		return cmd == PROCMAP_QUERY ? fake_procmap_query(arg) : -ENOTTY;
	case FAKE_PAGEMAP:
		fake.scans += cmd == PAGEMAP_SCAN;
		if (cmd != PAGEMAP_SCAN || !fake.has_pagemap_scan)
			return -ENOTTY;
		return arg ? fake_pagemap_scan(arg) : -EFAULT;
	default:
		return -ENOTTY;
	}
}

static int fill_statfs(const struct fake_node *node, struct statfs *fs)
{
	bool is_proc =
		node->type == FAKE_PAGEMAP || node->type == FAKE_MAPS || node->type == FAKE_FDINFO;

	*fs = (struct statfs){.f_type = is_proc ? 0x9fa0 : 0x01021994};
	if (node->page_size > FAKE_4K)
		*fs = (struct statfs){.f_type = HUGETLBFS_MAGIC, .f_bsize = (long)node->page_size};
	return 0;
}

static long do_capget(struct __user_cap_data_struct *data)
{
	memset(data, 0, _LINUX_CAPABILITY_U32S_3 * sizeof(*data));
	if (fake.rawio)
		data[CAP_TO_INDEX(CAP_SYS_RAWIO)].effective |= CAP_TO_MASK(CAP_SYS_RAWIO);
	if (fake.ipc_lock)
		data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective |= CAP_TO_MASK(CAP_IPC_LOCK);
	data[CAP_TO_INDEX(CAP_SYS_RAWIO)].permitted = data[CAP_TO_INDEX(CAP_SYS_RAWIO)].effective;
	return 0;
}

/* Only RLIMIT_NOFILE is set: do_prlimit() in kernel/sys.c. */
static long do_prlimit(int what, const struct rlimit *new, struct rlimit *old)
{
	size_t hard = fake.hard_limit ? fake.hard_limit : fake.descriptor_limit;

	if (old)
		*old = (struct rlimit){fake.descriptor_limit, hard};
	if (old && what != RLIMIT_NOFILE)
		old->rlim_cur =
			fake.pin_limit == SIZE_MAX ? RLIM_INFINITY : fake.pin_limit * FAKE_4K;
	if (!new)
		return 0;
	ck_assert_int_eq(what, RLIMIT_NOFILE);
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (new->rlim_max > hard && !fake.may_raise)
		return -EPERM;
	fake.descriptor_limit = new->rlim_cur;
	fake.hard_limit = new->rlim_max;
	return 0;
}

/* How much of the program's memory can be accessed from there on? */
static size_t accessible(const void *from)
{
	uintptr_t offset = (uintptr_t)from - (uintptr_t)user;

	return offset < sizeof(user) ? sizeof(user) - offset : 0;
}

/* process_vm_readv(), where one side is the program's: what can be accessed is copied. */
static ssize_t do_process_vm_readv(const struct iovec *to, const struct iovec *from)
{
	size_t len = accessible(to->iov_base) + accessible(from->iov_base);

	if (!len)
		return -EFAULT;
	if (len > to->iov_len)
		len = to->iov_len;
	memcpy(to->iov_base, from->iov_base, len);
	return (ssize_t)len;
}

/* What is not the program's is the library's own, but for what a test names as bad. */
static size_t accessible_part(const void *from, size_t len)
{
	uintptr_t offset = (uintptr_t)from - (uintptr_t)user;
	size_t part = !from ? 0 : offset <= sizeof(user) ? sizeof(user) - offset : len;

	return part < len ? part : len;
}

/* Of a pipe both ends are one open file here, and one write is in it at most. */
static long refused(int error)
{
	return error == FAKE_NO_ERROR ? 0 : -error;
}

static long do_pipe2(int ends[2], int flags)
{
	struct fake_node *node = fake_node_add(FAKE_PIPE, "/pipe");
	int fd = fake_open_node(node, flags);

	if (fd < 0)
		return fd;
	ends[0] = fd;
	ends[1] = duplicate(fake_open_of(fd), lowest_free(0), flags & O_CLOEXEC);
	if (ends[1] < 0)
		close_fd(fd);
	return ends[1] < 0 ? ends[1] : 0;
}

static ssize_t pipe_write(struct fake_open *pipe, const char *buf, size_t len)
{
	size_t part = accessible_part(buf, len);

	if (!part)
		return -EFAULT;
	pipe->piped = memcpy(fake_alloc(part), buf, part);
	pipe->piped_len = part;
	return (ssize_t)part;
}

static ssize_t pipe_read(const struct fake_open *pipe, char *buf, size_t len)
{
	size_t part = accessible_part(buf, len < pipe->piped_len ? len : pipe->piped_len);

	memcpy(buf, pipe->piped, part);
	return part ? (ssize_t)part : -EFAULT;
}

/* ---- the calls ---- */

void fake_fail(long nr, unsigned int cmd, unsigned int nth, int error)
{
	failing.nr = nr;
	failing.cmd = cmd;
	failing.left = nth;
	failing.error = error;
	failing.failed = false;
}

bool fake_failed(void)
{
	failing.left = 0;
	return failing.failed;
}

static bool shall_fail(long nr, unsigned int cmd)
{
	if (!failing.left || nr != failing.nr || (failing.cmd && cmd != failing.cmd))
		return false;
	failing.failed = !--failing.left;
	return failing.failed;
}

/* Calls on a descriptor. */
static long call_on(struct fake_open *open, long nr, long a, long b, long c, long d)
{
	ssize_t ret;

	if (!open)
		return -EBADF;
	switch (nr) {
	case SYS_read:
		if (open->node->type == FAKE_PIPE)
			return pipe_read(open, (char *)b, (size_t)c);
		ret = do_read(open, (void *)b, (size_t)c, open->pos);
		if (ret > 0)
			open->pos += ret;
		return ret;
	case SYS_pread64:
		return do_read(open, (void *)b, (size_t)c, d);
	case SYS_pwrite64:
		return write_config(open->node, (const void *)b, (size_t)c, d);
	case SYS_write:
		if (open->node->type == FAKE_PIPE)
			return pipe_write(open, (const char *)b, (size_t)c);
		return do_write((int)a, (const char *)b, (size_t)c);
	case SYS_lseek:
		return do_lseek(open, b, (int)c);
	case SYS_ioctl:
		return do_ioctl(open, (unsigned int)b, (void *)c);
	case SYS_fstat:
		return fill_stat(open->node, (struct stat *)b);
	case SYS_fstatfs:
		return fill_statfs(open->node, (struct statfs *)b);
	case SYS_getdents64:
		return do_getdents(open, (char *)b, (size_t)c);
	case SYS_dup3:
		if (a == b)
			return -EINVAL;
		if (b < 0 || (size_t)b >= fake.descriptor_limit)
			return -EBADF;
		return duplicate(open, (int)b, c & O_CLOEXEC);
	}
	return -ENOSYS;
}

long fake_sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	struct fake_node *node;

	__atomic_fetch_add(&fake.calls, 1, __ATOMIC_RELAXED);
	if (shall_fail(nr, (unsigned int)b))
		return -failing.error;
	switch (nr) {
	case SYS_openat:
		node = node_at((int)a, (const char *)b, !(c & O_NOFOLLOW));
		return node ? fake_open_node(node, (int)c) : -ENOENT;
	case SYS_close:
		return close_fd((int)a);
	case SYS_memfd_create:
		return fake_open_node(fake_node_add(FAKE_MEMORY, "/memfd"),
				      b & MFD_CLOEXEC ? O_CLOEXEC : 0);
	case SYS_close_range:
		return close_range_of((unsigned int)a, (unsigned int)b, (unsigned int)c);
	case SYS_fcntl:
		return do_fcntl((int)a, (int)b, c);
	case SYS_newfstatat:
		node = find_at((int)a, (const char *)b, !(d & AT_SYMLINK_NOFOLLOW));
		return node ? fill_stat(node, (struct stat *)c) : -ENOENT;
	case SYS_readlinkat:
		return read_link((int)a, (const char *)b, (char *)c, (size_t)d);
	case SYS_capget:
		return do_capget((struct __user_cap_data_struct *)b);
	case SYS_prlimit64:
		return do_prlimit((int)b, (const struct rlimit *)c, (struct rlimit *)d);
	case SYS_pipe2:
		if (fake.pipe_error)
			return refused(fake.pipe_error);
		return do_pipe2((int *)a, (int)b);
	case SYS_process_vm_readv:
		if (fake.process_vm_error)
			return refused(fake.process_vm_error);
		return do_process_vm_readv((const struct iovec *)b, (const struct iovec *)d);
	case SYS_statx:
		return -ENOSYS;
	case SYS_sched_yield:
		fake.moving -= fake.moving > 0;
		return 0;
	case SYS_clock_nanosleep:
		if (fake.sleeps)
			fake.sleeps();
		return 0;
	case SYS_io_uring_setup:
		return fake_uring_setup();
	case SYS_io_uring_register:
		return fake_uring_register((int)a, (unsigned int)b, (const void *)c,
					   (unsigned int)d);
	case SYS_pidfd_open:
		return fake.may_trace ? fake_open_node(find("/proc", true), O_CLOEXEC) : -ENOSYS;
	case SYS_pidfd_getfd: /* other processes' descriptors are in the one table */
		return fake_open_of((int)b) ? sys_fcntl((int)b, F_DUPFD_CLOEXEC, 0) : -EBADF;
	case SYS_kcmp:
		return 1; /* other descriptors */
	case SYS_getpid:
		if (fake.pid)
			return fake.pid;
		__attribute__((fallthrough));
	case SYS_getrandom:
	case SYS_mmap:
	case SYS_mprotect:
	case SYS_munlock:
	case SYS_munmap:
	case SYS_madvise:
	case SYS_futex:
	case SYS_getppid:
	case SYS_gettid:
	case SYS_tkill:
	case SYS_waitid:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigpending:
	case SYS_clock_gettime:
		return sys_call_kernel(nr, a, b, c, d, e, f);
	case SYS_read:
	case SYS_pread64:
	case SYS_pwrite64:
	case SYS_write:
	case SYS_lseek:
	case SYS_ioctl:
	case SYS_fstat:
	case SYS_fstatfs:
	case SYS_getdents64:
	case SYS_dup3:
		return call_on(fake_open_of((int)a), nr, a, b, c, d);
	default:
		ck_abort_msg("the fake kernel has no system call %ld", nr);
	}
}
