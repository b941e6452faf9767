/* SPDX-License-Identifier: MIT */
#include "legacy/view.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "base/sys.h"

#define PATH_SIZE 512

/* Above every number that the kernel gives, within an int as drivers parse it. */
#define GROUPS_BESIDE_REAL_ONES 1000000U

#define MISC_MAJOR 10
#define VFIO_MINOR 196 /* include/linux/miscdevice.h */

bool view_kernel_has_group(const struct cdev *cdev)
{
	char path[PATH_SIZE], link[PATH_SIZE];

	format(path, sizeof(path), "/sys%s/iommu_group", cdev->sysfs);
	return sys_readlinkat(AT_FDCWD, path, link, sizeof(link)) > 0;
}

static bool machine_has_groups(void)
{
	char buf[512];
	int dir = sys_open("/sys/kernel/iommu_groups", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t len;

	if (dir < 0)
		return false;
	/* "." and ".." take 24 bytes each. */
	len = sys_getdents(dir, buf, sizeof(buf));
	sys_close(dir);
	return len > 48;
}

unsigned int view_group_of(const struct cdev *cdev)
{
	char path[PATH_SIZE], link[PATH_SIZE];
	const char *number;
	ssize_t len;

	format(path, sizeof(path), "/sys%s/iommu_group", cdev->sysfs);
	len = sys_readlinkat(AT_FDCWD, path, link, sizeof(link) - 1);
	if (len <= 0)
		return cdev->index + (machine_has_groups() ? GROUPS_BESIDE_REAL_ONES : 0);
	link[len] = '\0';
	number = strrchr(link, '/');
	return (unsigned int)strtoul(number ? number + 1 : link, NULL, 10);
}

static int has_group(const struct cdev *cdev, void *arg)
{
	struct view *view = arg;

	if (view_group_of(cdev) != view->group)
		return 0;
	view->cdev = *cdev;
	return 1;
}

static bool find_group(unsigned int number, struct view *view)
{
	view->group = number;
	if (cdev_each(has_group, view) != 1)
		return false;
	view->kind = VIEW_GROUP;
	return true;
}

static bool parse_number(const char *text, unsigned int *number)
{
	char *end;

	*number = (unsigned int)strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && (*text != '0' || !text[1]);
}

/* The directory that the path's last component is in, resolved by the kernel. */
static bool resolve_directory(int dirfd, const char *path, char *to, size_t size)
{
	char dir[PATH_SIZE], self[64];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	ssize_t ret;
	int fd;

	if (len >= sizeof(dir))
		return false;
	memcpy(dir, path, len);
	dir[len] = '\0';
	fd = sys_openat(dirfd, slash ? (len ? dir : "/") : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	format(self, sizeof(self), "/proc/self/fd/%d", fd);
	ret = sys_readlinkat(AT_FDCWD, self, to, size - 1);
	sys_close(fd);
	if (ret <= 0)
		return false;
	to[ret] = '\0';
	return true;
}

static int has_sysfs(const struct cdev *cdev, void *arg)
{
	struct view *view = arg;

	if (strcmp(cdev->sysfs, view->cdev.sysfs))
		return 0;
	view->cdev = *cdev;
	return 1;
}

static void find_link(const char *dir, struct view *view)
{
	if (strncmp(dir, "/sys/devices/", 13))
		return;
	format(view->cdev.sysfs, sizeof(view->cdev.sysfs), "%s", dir + 4);
	if (cdev_each(has_sysfs, view) != 1)
		return;
	view->group = view_group_of(&view->cdev);
	view->kind = VIEW_GROUP_LINK;
}

void view_find(int dirfd, const char *path, struct view *view)
{
	const char *base = strrchr(path, '/');
	char dir[PATH_SIZE];
	unsigned int number;

	base = base ? base + 1 : path;
	view->kind = VIEW_NONE;
	if (!resolve_directory(dirfd, path, dir, sizeof(dir)))
		return;
	if (!strcmp(base, "iommu_group"))
		find_link(dir, view);
	else if (strcmp(dir, "/dev/vfio"))
		return;
	else if (!strcmp(base, "vfio"))
		view->kind = VIEW_CONTAINER;
	else if (!strncmp(base, "noiommu-", 8) && parse_number(base + 8, &number))
		find_group(number, view);
}

void view_identify(int fd, struct view *view)
{
	char path[64], link[PATH_SIZE];
	const char *name;
	struct stat st;
	unsigned int number;
	ssize_t len;

	view->kind = VIEW_NONE;
	if (sys_fstat(fd, &st) || !S_ISCHR(st.st_mode))
		return;
	if (st.st_rdev == makedev(MISC_MAJOR, VFIO_MINOR)) {
		view->kind = VIEW_CONTAINER;
		return;
	}
	format(path, sizeof(path), "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	len = sys_readlinkat(AT_FDCWD, path, link, sizeof(link) - 1);
	if (len <= 0)
		return;
	link[len] = '\0';
	/* ../../devices/virtual/vfio/noiommu-3 */
	name = strstr(link, "/virtual/vfio/noiommu-");
	if (name && parse_number(strrchr(name, '-') + 1, &number))
		find_group(number, view);
}

size_t view_group_link(const struct view *view, char *to, size_t size)
{
	size_t len = 0;

	for (const char *s = view->cdev.sysfs; *s; s++)
		if (*s == '/')
			len += format(to + len, size - len, "../");
	return len + format(to + len, size - len, "kernel/iommu_groups/%u", view->group);
}
