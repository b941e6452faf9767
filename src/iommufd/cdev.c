/* SPDX-License-Identifier: MIT */
#include "iommufd/cdev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/dir.h"
#include "base/log.h"
#include "base/sys.h"

#define CLASS  "/sys/class/vfio-dev/"
#define PREFIX "noiommu-vfio"

/* From the link of the class: ../../devices/pci0000:00/0000:00:04.0/vfio-dev/noiommu-vfio0 */
int cdev_get(unsigned int index, struct cdev *cdev)
{
	char path[64];
	char link[sizeof(cdev->sysfs)];
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

static int visit(const char *name, void *arg)
{
	const struct search *search = arg;
	struct cdev cdev;
	unsigned int index;

	if (!parse_index(name, &index) || cdev_get(index, &cdev))
		return 0;
	return search->what(&cdev, search->arg);
}

int cdev_each(int (*what)(const struct cdev *cdev, void *arg), void *arg)
{
	struct search search = {what, arg};

	return dir_each(CLASS, visit, &search);
}

int cdev_open(unsigned int index)
{
	char path[64];

	format(path, sizeof(path), "/dev/vfio/devices/" PREFIX "%u", index);
	return sys_open(path, O_RDWR | O_CLOEXEC);
}

static struct flock range_of(enum cdev_lock which, enum cdev_hold hold)
{
	static const short types[] = {F_UNLCK, F_RDLCK, F_WRLCK};

	return (struct flock){
		.l_type = types[hold], .l_whence = SEEK_SET, .l_start = (off_t)which, .l_len = 1};
}

int cdev_lock(int fd, enum cdev_lock which, enum cdev_hold hold)
{
	struct flock range = range_of(which, hold);

	return (int)sys_fcntl(fd, F_OFD_SETLK, (long)&range);
}

bool cdev_is_locked(unsigned int index, enum cdev_lock which)
{
	struct flock range = range_of(which, CDEV_EXCLUSIVE);
	int fd = cdev_open(index);
	bool locked;

	if (fd < 0)
		return fd == -EPERM || fd == -EACCES;
	locked = !sys_fcntl(fd, F_OFD_GETLK, (long)&range) && range.l_type != F_UNLCK;
	sys_close(fd);
	return locked;
}

/* The number before end, which begins behind a space; *end is that space then. */
static unsigned long number_before(const char **end)
{
	do
		--*end;
	while (**end != ' ');
	return strtoul(*end + 1, NULL, 10);
}

/*
 * proc(5), fdinfo: "lock:\t1: OFDLCK ADVISORY WRITE -1 00:05:88 FIRST LAST".
 * Neighbouring locks are one.
 */
unsigned int cdev_locks_of(int fd)
{
	char path[64], text[1024];
	unsigned int locks = 0;
	ssize_t len = 0;
	int info;

	format(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = sys_open(path, O_RDONLY | O_CLOEXEC);
	if (info >= 0) {
		len = sys_read(info, text, sizeof(text) - 1);
		sys_close(info);
	}
	text[len > 0 ? len : 0] = '\0';
	for (const char *line = strstr(text, "\nlock:"); line; line = strstr(line + 1, "\nlock:")) {
		const char *end = strchr(line + 1, '\n');
		unsigned long first, last;

		if (!end)
			break;
		last = number_before(&end);
		first = number_before(&end);
		for (unsigned long which = first; which <= last && which <= CDEV_LOCK_DEVICE;
		     which++)
			locks |= CDEV_BIT(which);
	}
	return locks;
}

void cdev_wait_lending(unsigned int index)
{
	struct flock range = range_of(CDEV_LOCK_LENDING, CDEV_SHARED);
	int fd = cdev_open(index);

	if (fd < 0)
		return;
	sys_fcntl(fd, F_OFD_SETLKW, (long)&range);
	sys_close(fd);
}
