/* SPDX-License-Identifier: MIT */
#include "iommufd/cdev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/dir.h"
#include "base/hidden.h"
#include "base/limit.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/process.h"
#include "base/slab.h"
#include "base/sys.h"

#define CLASS  "/sys/class/vfio-dev/"
#define PREFIX "noiommu-vfio"

/* Parses the class link: ../../devices/pci0000:00/0000:00:04.0/vfio-dev/noiommu-vfio0 */
int cdev_get(unsigned int index, struct cdev *cdev)
{
	static char path[64];
	static char link[sizeof(cdev->sysfs)];
	char *devices, *end, *name;
	ssize_t len;

	format(path, sizeof(path), CLASS PREFIX "%u", index);
	len = sys_readlinkat(AT_FDCWD, path, link, sizeof(link) - 1);
	if (len <= 0)
		return -ENODEV;
	link[len] = '\0';
	devices = strstr(link, "/devices/");
	end = strstr(link, "/vfio-dev/");
	if (!devices || !end || end < devices)
		return -ENODEV;
	*end = '\0';
	name = strrchr(devices, '/') + 1;
	cdev->index = index;
	format(cdev->name, sizeof(cdev->name), "%s", name);
	format(cdev->sysfs, sizeof(cdev->sysfs), "%s", devices);
	return 0;
}

static bool parse_index(const char *name, unsigned int *index)
{
	char *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return false;
	name += strlen(PREFIX);
	*index = (unsigned int)strtoul(name, &end, 10);
	return *name && !*end;
}

struct search {
	int (*what)(const struct cdev *cdev, void *arg);
	void *arg;
};

static struct slab cdevs = {.size = sizeof(struct cdev)};

/* Allocated, because what() may call cdev_get() or cdev_each() itself. */
static int visit(const char *name, void *arg)
{
	const struct search *search = arg;
	struct cdev *cdev;
	unsigned int index;
	int ret = 0;

	if (!parse_index(name, &index))
		return 0;
	cdev = slab_alloc(&cdevs);
	if (!cdev)
		return -ENOMEM;
	if (!cdev_get(index, cdev))
		ret = search->what(cdev, search->arg);
	slab_free(&cdevs, cdev);
	return ret;
}

int cdev_each(int (*what)(const struct cdev *cdev, void *arg), void *arg)
{
	struct search search = {what, arg};

	return dir_each(CLASS, visit, &search);
}

static void path_of(unsigned int index, char *to, size_t size)
{
	format(to, size, "/dev/vfio/devices/" PREFIX "%u", index);
}

int cdev_open(unsigned int index)
{
	char path[64];

	path_of(index, path, sizeof(path));
	return limit_open(path, O_RDWR | O_CLOEXEC);
}

int cdev_open_for_program(unsigned int index)
{
	char path[64];

	path_of(index, path, sizeof(path));
	return sys_open(path, O_RDWR | O_CLOEXEC);
}

/* ---- locks ---- */

/* In a cdev the locks are at CDEV_LOCKS. In /dev/iommu each device has its own area above. */
#define AREA	   (1L << 24)
#define MISC_MAJOR 10

static off_t area_of(int fd, unsigned int index)
{
	struct stat st;

	if (sys_fstat(fd, &st) || major(st.st_rdev) != MISC_MAJOR)
		return CDEV_LOCKS;
	return CDEV_LOCKS + (index + 1) * AREA;
}

static struct flock range_at(off_t at, enum cdev_hold hold)
{
	static const short types[] = {F_UNLCK, F_RDLCK, F_WRLCK};

	return (struct flock){
		.l_type = types[hold], .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
}

static int lock(int fd, unsigned int index, off_t which, enum cdev_hold hold)
{
	struct flock range = range_at(area_of(fd, index) + which, hold);

	return (int)sys_fcntl(fd, F_OFD_SETLK, (long)&range);
}

int cdev_lock(int fd, unsigned int index, enum cdev_lock which, enum cdev_hold hold)
{
	return lock(fd, index, (off_t)which, hold);
}

/* True when another open file has the group's lock. */
static bool is_held_by_other(int fd, unsigned int index)
{
	struct flock range = range_at(area_of(fd, index) + CDEV_LOCK_GROUP, CDEV_EXCLUSIVE);

	return !sys_fcntl(fd, F_OFD_GETLK, (long)&range) && range.l_type != F_UNLCK;
}

/* Closes fd. 1, 0, or fd if that is the negative errno of an open. */
static int is_held_in(int fd, unsigned int index)
{
	int ret = fd < 0 ? fd : is_held_by_other(fd, index);

	if (fd >= 0)
		sys_close(fd);
	return ret;
}

static int open_iommu(void)
{
	return limit_open("/dev/iommu", O_RDWR | O_CLOEXEC);
}

bool cdev_is_held(unsigned int index)
{
	int ret = is_held_in(cdev_open(index), index);

	if (!ret)
		ret = is_held_in(open_iommu(), index);
	return ret > 0 || ret == -EPERM || ret == -EACCES;
}

int cdev_open_placeholder(unsigned int index)
{
	int ret = is_held_in(cdev_open(index), index);
	int fd;

	if (ret)
		return ret < 0 ? ret : -EBUSY;
	fd = open_iommu();
	if (fd >= 0 && cdev_lock(fd, index, CDEV_LOCK_GROUP, CDEV_EXCLUSIVE)) {
		sys_close(fd);
		return -EBUSY;
	}
	return fd;
}

ino_t cdev_identity(unsigned int index)
{
	char path[64];
	struct stat st;

	format(path, sizeof(path), CLASS PREFIX "%u", index);
	return sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_ino;
}

/* The number that ends at *end and follows a space. Moves *end to that space. */
static unsigned long number_before(const char **end)
{
	do
		--*end;
	while (**end != ' ');
	return strtoul(*end + 1, NULL, 10);
}

/* Parses one line of fdinfo, without its newline. */
static bool is_lock_found(const char *line, const char *end,
			  bool what(unsigned long first, unsigned long last, void *arg), void *arg)
{
	unsigned long first, last;

	if (strncmp(line, "lock:", 5))
		return false;
	last = number_before(&end);
	first = number_before(&end);
	/* Ranges below CDEV_LOCKS are the program's. */
	if (last < CDEV_LOCKS)
		return false;
	return what(first > CDEV_LOCKS ? first : CDEV_LOCKS, last, arg);
}

/*
 * Calls what() with each range of locks at or above CDEV_LOCKS that the open file under
 * fd has, until it returns true. 1: it did; 0: it did not; a negative errno when the
 * locks cannot be read. The source is fdinfo, see proc(5), where adjacent locks form one
 * range: "lock:\t1: OFDLCK ADVISORY WRITE -1 00:05:88 FIRST LAST". Each process that uses
 * the device has a line there, so the text is read in pieces.
 */
static int each_lock_of_all(int fd, bool what(unsigned long first, unsigned long last, void *arg),
			    void *arg)
{
	static char text[4096];
	size_t kept = 0;
	bool found = false;
	char name[32];
	ssize_t len = 0;
	int info;

	format(name, sizeof(name), "self/fdinfo/%d", fd);
	info = proc_open(name, O_RDONLY);
	if (info < 0)
		return info;
	while (!found && (len = sys_read(info, text + kept, sizeof(text) - 1 - kept)) > 0) {
		char *line = text, *end;

		text[kept + (size_t)len] = '\0';
		while (!found && (end = strchr(line, '\n'))) {
			*end = '\0';
			found = is_lock_found(line, end, what, arg);
			line = end + 1;
		}
		kept = strlen(line);
		memmove(text, line, kept);
	}
	sys_close(info);
	return found || len >= 0 ? found : (int)len;
}

struct area {
	unsigned long begin;
	bool (*what)(unsigned long first, unsigned long last, void *arg);
	void *arg;
};

static bool cut_to_area(unsigned long first, unsigned long last, void *arg)
{
	const struct area *area = arg;

	if (first < area->begin || last >= area->begin + AREA)
		return false;
	return area->what(first - area->begin, last - area->begin, area->arg);
}

/* The same for the locks in the device's area, with offsets from its start. */
static int each_lock(int fd, unsigned int index,
		     bool what(unsigned long first, unsigned long last, void *arg), void *arg)
{
	struct area area = {(unsigned long)area_of(fd, index), what, arg};

	return each_lock_of_all(fd, cut_to_area, &area);
}

static bool take_index(unsigned long first, unsigned long last, void *arg)
{
	unsigned int *index = arg;

	(void)last;
	*index = (unsigned int)((first - CDEV_LOCKS) / AREA) - 1;
	return first >= CDEV_LOCKS + AREA;
}

bool cdev_is_placeholder(int fd, unsigned int *index)
{
	return each_lock_of_all(fd, take_index, index) > 0;
}

static bool add_locks(unsigned long first, unsigned long last, void *arg)
{
	unsigned int *locks = arg;

	for (unsigned long which = first; which <= last && which <= CDEV_LOCK_PASSED; which++)
		*locks |= CDEV_BIT(which);
	return false;
}

unsigned int cdev_locks_of(int fd, unsigned int index)
{
	unsigned int locks = 0;

	each_lock(fd, index, add_locks, &locks);
	return locks;
}

/* ---- who has a device open ---- */

/* Offset of the users' locks, above the other ones: one lock per process, at its PID. */
#define FIRST_USER 0x1000

void cdev_set_user(int fd, unsigned int index, bool uses)
{
	lock(fd, index, FIRST_USER + (off_t)sys_getpid(), uses ? CDEV_SHARED : CDEV_FREE);
}

struct users {
	int to;
	unsigned int index;
};

static bool add_users(unsigned long first, unsigned long last, void *arg)
{
	const struct users *users = arg;

	for (first = first < FIRST_USER ? FIRST_USER : first; first <= last; first++)
		lock(users->to, users->index, (off_t)first, CDEV_SHARED);
	return false;
}

void cdev_copy_users(int from, int to, unsigned int index)
{
	struct users users = {to, index};

	each_lock(from, index, add_users, &users);
}

struct holder {
	char name[32]; /* the end of the node's path */
	char fds[32];  /* the descriptors' directory of a process, relative to /proc */
	long pid;      /* of that process */
	int taken;     /* a duplicate of its descriptor; negative: none */
	int error;     /* from a process that may have the device open */
};

static struct holder holder_of(unsigned int index)
{
	struct holder holder = {.fds = "", .taken = -ENOENT};

	format(holder.name, sizeof(holder.name), "/" PREFIX "%u", index);
	return holder;
}

/* Compares the link's text: stat() could block on the file's file system. */
static int is_held_under(const char *fd, void *arg)
{
	const struct holder *holder = arg;
	char path[64], link[128];
	const char *name;
	ssize_t len;

	format(path, sizeof(path), "%s/%s", holder->fds, fd);
	len = proc_readlink(path, link, sizeof(link) - 1);
	if (len <= 0)
		return 0;
	link[len] = '\0';
	name = strrchr(link, '/');
	return name && !strcmp(name, holder->name);
}

/* 1: the process with this PID, not the calling one, has it open; 0; or a negative errno */
static int is_held_by(long pid, struct holder *holder)
{
	if (pid == sys_getpid())
		return 0;
	format(holder->fds, sizeof(holder->fds), "%ld/fd", pid);
	return dir_each_in(proc_open(holder->fds, O_RDONLY | O_DIRECTORY), is_held_under, holder);
}

/* A recorded process that cannot be examined counts as one that has the device open. */
static bool has_user(unsigned long first, unsigned long last, void *arg)
{
	struct holder *holder = arg;

	for (first = first < FIRST_USER ? FIRST_USER : first; first <= last; first++) {
		int ret = is_held_by((long)(first - FIRST_USER), holder);

		if (ret > 0 || ret == -EACCES)
			return true;
		/* These mean that the process has ended. */
		if (ret < 0 && ret != -ENOENT && ret != -ESRCH)
			holder->error = ret;
	}
	return false;
}

int cdev_is_used_elsewhere(int fd, unsigned int index)
{
	struct holder holder = holder_of(index);
	int ret = each_lock(fd, index, has_user, &holder);

	return ret ? ret : holder.error;
}

static int take_under(const char *fd, void *arg)
{
	struct holder *holder = arg;

	if (is_held_under(fd, holder))
		holder->taken = process_take_fd((pid_t)holder->pid, atoi(fd));
	return holder->taken >= 0;
}

static bool take_from_user(unsigned long first, unsigned long last, void *arg)
{
	struct holder *holder = arg;

	for (first = first < FIRST_USER ? FIRST_USER : first; first <= last; first++) {
		holder->pid = (long)(first - FIRST_USER);
		if (holder->pid == sys_getpid())
			continue;
		format(holder->fds, sizeof(holder->fds), "%ld/fd", holder->pid);
		if (dir_each_in(proc_open(holder->fds, O_RDONLY | O_DIRECTORY), take_under,
				holder) > 0)
			return true;
	}
	return false;
}

int cdev_take(int fd, unsigned int index)
{
	struct holder holder = holder_of(index);

	each_lock(fd, index, take_from_user, &holder);
	if (holder.taken < 0 || cdev_locks_of(holder.taken, index) & CDEV_BIT(CDEV_LOCK_DEVICE))
		return holder.taken;
	sys_close(holder.taken);
	return -ENOENT;
}

static int is_process_with(const char *name, void *arg)
{
	return *name >= '0' && *name <= '9' && is_held_by(strtol(name, NULL, 10), arg) > 0;
}

bool cdev_is_elsewhere(unsigned int index)
{
	struct holder holder = holder_of(index);

	return dir_each_in(proc_open(".", O_RDONLY | O_DIRECTORY), is_process_with, &holder) > 0;
}

static struct hidden not_to_lend = HIDDEN_NONE;

int cdev_keep_from_lending(unsigned int index)
{
	int fd = cdev_open(index);

	if (fd < 0)
		return 0;
	if (cdev_lock(fd, index, CDEV_LOCK_LENDING, CDEV_SHARED) == -EAGAIN) {
		sys_close(fd);
		return CDEV_WAIT;
	}
	hidden_take(&not_to_lend, fd);
	return 0;
}

void cdev_let_lend(void)
{
	hidden_close(&not_to_lend);
}

void cdev_wait(void)
{
	const struct timespec time = {.tv_nsec = 1000000};

	sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&time, 0, 0, 0);
}
