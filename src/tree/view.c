/* SPDX-License-Identifier: MIT */
#include "tree/view.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/dir.h"
#include "base/limit.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sys.h"

#define GROUPS	   "/sys/kernel/iommu_groups"
#define GROUP_LINK "iommu_group"

/* Above the numbers that the kernel gives, and within an int, as drivers parse it. */
#define GROUPS_BESIDE_REAL_ONES 1000000U

#define MISC_MAJOR 10
#define VFIO_MINOR 196 /* include/linux/miscdevice.h */

/* ---- numbers ---- */

static bool kernel_group(const struct cdev *cdev, unsigned int *number)
{
	static char path[VIEW_PATH], link[VIEW_PATH];
	const char *name;
	ssize_t len;

	format(path, sizeof(path), "/sys%s/" GROUP_LINK, cdev->sysfs);
	len = sys_readlinkat(AT_FDCWD, path, link, sizeof(link) - 1);
	if (len <= 0)
		return false;
	link[len] = '\0';
	name = strrchr(link, '/');
	*number = (unsigned int)strtoul(name ? name + 1 : link, NULL, 10);
	return true;
}

bool view_kernel_has_group(const struct cdev *cdev)
{
	unsigned int number;

	return kernel_group(cdev, &number);
}

static int is_group(const char *name, void *arg)
{
	(void)arg;
	return *name != '.';
}

static bool machine_has_groups(void)
{
	return dir_each(GROUPS, is_group, NULL) == 1;
}

unsigned int view_group_of(const struct cdev *cdev)
{
	unsigned int number;

	if (kernel_group(cdev, &number))
		return number;
	return cdev->index + (machine_has_groups() ? GROUPS_BESIDE_REAL_ONES : 0);
}

static int has_group(const struct cdev *cdev, void *arg)
{
	struct view *view = arg;

	if (view_group_of(cdev) != view->group)
		return 0;
	view->cdev = *cdev;
	return 1;
}

static bool parse_number(const char *text, unsigned int *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = (unsigned int)value;
	return *text >= '0' && *text <= '9' && !*end && (*text != '0' || !text[1]) &&
	       value <= INT_MAX;
}

static bool find_group(const char *number, struct view *view)
{
	return parse_number(number, &view->group) && cdev_each(has_group, view) == 1;
}

static int has_sysfs(const struct cdev *cdev, void *arg)
{
	struct view *view = arg;

	if (strcmp(cdev->sysfs, view->path))
		return 0;
	view->cdev = *cdev;
	return 1;
}

static bool find_device(const char *dir, struct view *view)
{
	if (strncmp(dir, "/sys/devices/", 13))
		return false;
	format(view->path, sizeof(view->path), "%s", dir + 4);
	if (cdev_each(has_sysfs, view) != 1)
		return false;
	view->group = view_group_of(&view->cdev);
	return true;
}

/* ---- paths ---- */

bool view_path_of(int fd, char *to, size_t size)
{
	return proc_name_of(fd, to, size) > 0;
}

/*
 * Splits path into the deepest directory that the kernel has, with links resolved, and
 * the rest. rest points into path.
 */
static bool split(int dirfd, const char *path, char *dir, size_t size, const char **rest)
{
	static char prefix[VIEW_PATH];
	size_t len = strlen(path);
	int fd;

	if (len >= sizeof(prefix))
		return false;
	memcpy(prefix, path, len + 1);
	do {
		while (len && prefix[len - 1] == '/')
			len--;
		while (len && prefix[len - 1] != '/')
			len--;
		prefix[len] = '\0';
		fd = limit_openat(dirfd, len ? prefix : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	} while (fd == -ENOENT && len);
	if (fd < 0)
		return false;
	*rest = path + len;
	len = view_path_of(fd, dir, size);
	sys_close(fd);
	return len;
}

/* Copies the next component of rest, cut to size, and advances rest. False at the end. */
static bool component(const char **rest, char *to, size_t size)
{
	size_t len, kept;

	*rest += strspn(*rest, "/");
	len = strcspn(*rest, "/");
	kept = len < size ? len : size - 1;
	memcpy(to, *rest, kept);
	to[kept] = '\0';
	*rest += len;
	return len;
}

/* The files in a group's directory: drivers/iommu/iommu.c, iommu_group_alloc(). */
static const struct view_file {
	const char *name;
	const char *text;
} group_files[] = {
	{"name", "vfio-noiommu\n"},
	{"reserved_regions", ""},
	{"type", "unknown\n"},
};

static void find_file(const char *name, struct view *view)
{
	view->kind = VIEW_NONE;
	for (size_t i = 0; i < sizeof(group_files) / sizeof(group_files[0]); i++) {
		if (strcmp(name, group_files[i].name))
			continue;
		view->kind = VIEW_TEXT;
		view->file = group_files[i].name;
		view->text = group_files[i].text;
	}
}

/* Moves view to its entry name. Follows a link if follow is set. */
static void descend(struct view *view, const char *name, bool follow)
{
	bool up = !strcmp(name, "..");

	if (!strcmp(name, "."))
		return;
	if (view->kind == VIEW_GROUP_DIR) {
		if (up)
			view->kind = VIEW_REAL;
		else if (!strcmp(name, "devices"))
			view->kind = VIEW_DEVICES_DIR;
		else
			find_file(name, view);
	} else if (up) {
		view->kind = VIEW_GROUP_DIR;
	} else if (strcmp(name, view->cdev.name)) {
		view->kind = VIEW_NONE;
	} else {
		view->kind = follow ? VIEW_REAL : VIEW_DEVICE_LINK;
	}
}

/* The path leads out of the view's directories by the component name. rest is what follows. */
static __attribute__((noinline)) void leave(struct view *view, const char *name, const char *rest,
					    bool follow)
{
	char path[VIEW_PATH]; /* not static: walk() can recurse, with rest in this */

	if (!strcmp(name, ".."))
		format(path, sizeof(path), GROUPS "%s", rest);
	else
		format(path, sizeof(path), "/sys%s%s", view->cdev.sysfs, rest);
	view_find(AT_FDCWD, path, follow, view);
	if (view->kind != VIEW_NONE)
		return;
	view->kind = VIEW_REAL;
	format(view->path, sizeof(view->path), "%s", path);
}

/* Sets the path of the view without links. */
static void set_path(struct view *view)
{
	char *to = view->path;
	size_t size = sizeof(view->path);

	switch (view->kind) {
	case VIEW_CONTAINER:
		format(to, size, "/dev/vfio/vfio");
		break;
	case VIEW_GROUP:
		format(to, size, "/dev/vfio/noiommu-%u", view->group);
		break;
	case VIEW_GROUP_LINK:
		format(to, size, "/sys%s/" GROUP_LINK, view->cdev.sysfs);
		break;
	case VIEW_GROUP_DIR:
		format(to, size, GROUPS "/%u", view->group);
		break;
	case VIEW_DEVICES_DIR:
		format(to, size, GROUPS "/%u/devices", view->group);
		break;
	case VIEW_DEVICE_LINK:
		format(to, size, GROUPS "/%u/devices/%s", view->group, view->cdev.name);
		break;
	case VIEW_TEXT:
		format(to, size, GROUPS "/%u/%s", view->group, view->file);
		break;
	default:
		*to = '\0';
	}
}

/* Walks from view along rest. */
static void walk(struct view *view, const char *rest, bool follow)
{
	static char name[64];

	while (*rest && view->kind != VIEW_NONE) {
		if (view->kind != VIEW_GROUP_DIR && view->kind != VIEW_DEVICES_DIR) {
			view->kind = VIEW_NOT_DIR;
			break;
		}
		if (!component(&rest, name, sizeof(name)))
			break;
		descend(view, name, follow || *rest);
		if (view->kind == VIEW_REAL) {
			leave(view, name, rest, follow);
			return;
		}
	}
	set_path(view);
}

void view_find_below(const struct view *base, const char *path, bool follow, struct view *view)
{
	*view = *base;
	walk(view, path, follow);
}

void view_find(int dirfd, const char *path, bool follow, struct view *view)
{
	static char dir[VIEW_PATH], name[64];
	const char *rest;

	view->kind = VIEW_NONE;
	if (!split(dirfd, path, dir, sizeof(dir), &rest) || !component(&rest, name, sizeof(name)))
		return;
	if (!strcmp(dir, "/dev/vfio")) {
		if (!strcmp(name, "vfio"))
			view->kind = VIEW_CONTAINER;
		else if (!strncmp(name, "noiommu-", 8) && find_group(name + 8, view))
			view->kind = VIEW_GROUP;
	} else if (!strcmp(dir, GROUPS)) {
		if (find_group(name, view))
			view->kind = VIEW_GROUP_DIR;
	} else if (!strcmp(name, GROUP_LINK) && find_device(dir, view)) {
		view->kind = follow || *rest ? VIEW_GROUP_DIR : VIEW_GROUP_LINK;
	}
	walk(view, rest, follow);
}

/* The device of a character device, as a path in sysfs. */
static bool device_link(dev_t rdev, char *to, size_t size)
{
	char path[64];
	ssize_t len;

	format(path, sizeof(path), "/sys/dev/char/%u:%u", major(rdev), minor(rdev));
	len = sys_readlinkat(AT_FDCWD, path, to, size - 1);
	if (len <= 0)
		return false;
	to[len] = '\0';
	return true;
}

bool view_identify(int fd, struct view *view)
{
	static char link[VIEW_PATH];
	const char *name;
	struct stat st;

	view->kind = VIEW_NONE;
	if (sys_fstat(fd, &st) || !S_ISCHR(st.st_mode))
		return false;
	if (st.st_rdev == makedev(MISC_MAJOR, VFIO_MINOR)) {
		view->kind = VIEW_CONTAINER;
		return false;
	}
	/* ../../devices/virtual/vfio/noiommu-3 */
	if (!device_link(st.st_rdev, link, sizeof(link)))
		return false;
	name = strstr(link, "/virtual/vfio/noiommu-");
	if (name && find_group(strrchr(name, '-') + 1, view))
		view->kind = VIEW_GROUP;
	return name;
}

/* device_link() for an open file. */
static bool device_link_of(int fd, char *to, size_t size)
{
	struct stat st;

	return !sys_fstat(fd, &st) && S_ISCHR(st.st_mode) && device_link(st.st_rdev, to, size);
}

bool view_is_real_group(int fd)
{
	static char link[VIEW_PATH];
	const char *name;
	unsigned int number;

	if (!device_link_of(fd, link, sizeof(link)))
		return false;
	name = strstr(link, "/virtual/vfio/");
	return name && parse_number(name + strlen("/virtual/vfio/"), &number);
}

bool view_is_iommufd(int fd)
{
	static char link[VIEW_PATH];
	const char *name;

	if (!device_link_of(fd, link, sizeof(link)))
		return false;
	name = strstr(link, "/misc/");
	return name && !strcmp(name, "/misc/iommu");
}

bool view_is_cdev(int fd, struct cdev *cdev)
{
	static char link[VIEW_PATH];
	const char *name;
	unsigned int index;

	if (!device_link_of(fd, link, sizeof(link)))
		return false;
	/* ../../devices/pci0000:00/0000:00:04.0/vfio-dev/noiommu-vfio0 */
	name = strstr(link, "/vfio-dev/noiommu-vfio");
	return name && parse_number(name + strlen("/vfio-dev/noiommu-vfio"), &index) &&
	       !cdev_get(index, cdev);
}

size_t view_link(const struct view *view, char *to, size_t size)
{
	size_t len = 0;

	if (view->kind == VIEW_DEVICE_LINK)
		return format(to, size, "../../../..%s", view->cdev.sysfs);
	/* One "../" for each slash of the device's path, which leads up to /sys. */
	for (const char *s = view->cdev.sysfs; *s; s++)
		if (*s == '/')
			len += format(to + len, size - len, "../");
	return len + format(to + len, size - len, "kernel/iommu_groups/%u", view->group);
}

/* ---- directories ---- */

struct lister {
	const char *prefix;
	unsigned char type;
	void (*what)(const char *name, unsigned char type, void *arg);
	void *arg;
};

static int list_group(const struct cdev *cdev, void *arg)
{
	const struct lister *lister = arg;
	char name[32];

	if (view_kernel_has_group(cdev))
		return 0;
	format(name, sizeof(name), "%s%u", lister->prefix, view_group_of(cdev));
	lister->what(name, lister->type, lister->arg);
	return 0;
}

static __attribute__((noinline)) void list_dev(struct lister *lister)
{
	struct stat st;

	lister->prefix = "noiommu-";
	lister->type = DT_CHR;
	if (sys_fstatat(AT_FDCWD, "/dev/vfio/vfio", &st, 0) == -ENOENT)
		lister->what("vfio", DT_CHR, lister->arg);
	cdev_each(list_group, lister);
}

bool view_lists(const char *path)
{
	static struct view view;

	return !strcmp(path, "/dev/vfio") || !strncmp(path, GROUPS, strlen(GROUPS)) ||
	       find_device(path, &view);
}

void view_list(const char *path, void (*what)(const char *name, unsigned char type, void *arg),
	       void *arg)
{
	struct lister lister = {"", DT_DIR, what, arg};
	static struct view view;

	if (!strcmp(path, "/dev/vfio")) {
		list_dev(&lister);
		return;
	}
	if (!strcmp(path, GROUPS)) {
		cdev_each(list_group, &lister);
		return;
	}
	if (find_device(path, &view)) {
		if (!view_kernel_has_group(&view.cdev))
			what(GROUP_LINK, DT_LNK, arg);
		return;
	}
	view_find(AT_FDCWD, path, true, &view);
	if (view.kind == VIEW_NONE || view_kernel_has_group(&view.cdev))
		return;
	if (view.kind == VIEW_DEVICES_DIR) {
		what(view.cdev.name, DT_LNK, arg);
	} else if (view.kind == VIEW_GROUP_DIR) {
		what("devices", DT_DIR, arg);
		for (size_t i = 0; i < sizeof(group_files) / sizeof(group_files[0]); i++)
			what(group_files[i].name, DT_REG, arg);
	}
}
