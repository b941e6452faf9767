/* SPDX-License-Identifier: MIT */
#include "iommufd/cdev.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

int cdev_each(int (*what)(const struct cdev *cdev, void *arg), void *arg)
{
	_Alignas(struct linux_dirent64) char buf[2048];
	int dir = sys_open(CLASS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t len;
	int ret = 0;

	if (dir < 0)
		return dir;
	while (!ret && (len = sys_getdents(dir, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; !ret && at < len;) {
			struct linux_dirent64 *entry = (struct linux_dirent64 *)(buf + at);
			struct cdev cdev;
			unsigned int index;

			at += entry->d_reclen;
			if (parse_index(entry->d_name, &index) && !cdev_get(index, &cdev))
				ret = what(&cdev, arg);
		}
	}
	sys_close(dir);
	return ret;
}

int cdev_open(unsigned int index)
{
	char path[64];

	format(path, sizeof(path), "/dev/vfio/devices/" PREFIX "%u", index);
	return sys_open(path, O_RDWR | O_CLOEXEC);
}

static struct flock range_of(enum cdev_lock which, enum cdev_hold hold)
{
	static const short types[] = { F_UNLCK, F_RDLCK, F_WRLCK };

	return (struct flock){ .l_type = types[hold],
			       .l_whence = SEEK_SET,
			       .l_start = (off_t)which,
			       .l_len = 1 };
}

int cdev_lock(int fd, enum cdev_lock which, enum cdev_hold hold)
{
	struct flock range = range_of(which, hold);

	return (int)sys_fcntl(fd, F_OFD_SETLK, (long)&range);
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
