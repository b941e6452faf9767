/* SPDX-License-Identifier: MIT */
#include "cli/devices.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/inspect.h"
#include "cli/process.h"

#define CLASS "/sys/class/vfio-dev"

/* Reads the first line of directory/name, or "". */
static void read_line(const char *directory, const char *name, char *line, size_t size)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file || !fgets(line, (int)size, file))
		*line = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (file)
		fclose(file);
}

/* Reads the last component of the target of the link directory/name, or "". */
static void read_link(const char *directory, const char *name, char *base, size_t size)
{
	char path[PATH_MAX], link[PATH_MAX];
	const char *slash;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	len = readlink(path, link, sizeof(link) - 1);
	link[len > 0 ? len : 0] = '\0';
	slash = strrchr(link, '/');
	snprintf(base, size, "%.*s", (int)size - 1, slash ? slash + 1 : link);
}

static dev_t read_dev(const char *directory)
{
	unsigned int dev_major, dev_minor;
	char line[32];

	read_line(directory, "dev", line, sizeof(line));
	if (sscanf(line, "%u:%u", &dev_major, &dev_minor) != 2)
		return 0;
	return makedev(dev_major, dev_minor);
}

const char *device_node(const struct device *device)
{
	static char path[128];

	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", device->name);
	return path;
}

/* Opening a cdev does nothing to the device; binding it would. */
static int try_open(const struct device *device)
{
	int fd = open(device_node(device), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* Only no-IOMMU groups have this name. */
static void read_group(struct device *device, const char *directory)
{
	char path[PATH_MAX], number[16], name[32];

	read_link(directory, "iommu_group", number, sizeof(number));
	read_line(directory, "iommu_group/name", name, sizeof(name));
	if (strcmp(name, "vfio-noiommu"))
		return;
	snprintf(device->group, sizeof(device->group), "noiommu-%s", number);
	snprintf(path, sizeof(path), "/sys/class/vfio/%s", device->group);
	device->group_cdev = read_dev(path);
}

static void read_id(const char *directory, const char *name, char *id, size_t size)
{
	char line[32];

	read_line(directory, name, line, sizeof(line));
	snprintf(id, size, "%.6s", strncmp(line, "0x", 2) ? line : line + 2);
}

static void read_device(struct device *device, const char *name)
{
	char directory[PATH_MAX];

	*device = (struct device){.noiommu = !strncmp(name, "noiommu-", 8)};
	snprintf(device->name, sizeof(device->name), "%s", name);
	snprintf(directory, sizeof(directory), CLASS "/%s", name);
	device->cdev = read_dev(directory);
	read_link(directory, "device", device->address, sizeof(device->address));
	snprintf(directory, sizeof(directory), CLASS "/%s/device", name);
	read_link(directory, "driver", device->driver, sizeof(device->driver));
	read_id(directory, "vendor", device->vendor, sizeof(device->vendor));
	read_id(directory, "device", device->product, sizeof(device->product));
	read_group(device, directory);
}

/* ---- who holds them ---- */

static void add_holder(struct device *device, pid_t pid)
{
	struct holder *last;

	device->holders = reallocarray(device->holders, device->holder_count + 1, sizeof(*last));
	if (!device->holders)
		give_up("out of memory");
	last = &device->holders[device->holder_count++];
	last->pid = pid;
	process_comm(pid, last->comm, sizeof(last->comm));
}

/*
 * The number of the character device behind a descriptor; 0 if it is none. Does not
 * ask the server of a file system. Profiles of old container engines refuse statx().
 */
static dev_t device_behind(int directory, const char *fd)
{
	const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
	struct statx stx;
	struct stat st;

	if (!statx(directory, fd, flags, STATX_TYPE, &stx))
		return S_ISCHR(stx.stx_mode) ? makedev(stx.stx_rdev_major, stx.stx_rdev_minor) : 0;
	if ((errno == ENOSYS || errno == EPERM) && !fstatat(directory, fd, &st, 0))
		return S_ISCHR(st.st_mode) ? st.st_rdev : 0;
	return 0;
}

/* The result is a byte for each device: 1 if the process holds it. */
static int look_at_process(pid_t pid, void *result, const void *arg)
{
	const struct devices *devices = arg;
	unsigned char *held = result;
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		dev_t rdev = device_behind(dirfd(dir), entry->d_name);

		for (size_t i = 0; rdev && i < devices->count; i++)
			held[i] |= rdev == devices->list[i].cdev ||
				   rdev == devices->list[i].group_cdev;
	}
	closedir(dir);
	return 0;
}

/* A process that ended meanwhile holds nothing. */
static void told_of_process(pid_t pid, int ret, const void *result, void *arg)
{
	const unsigned char *held = result;
	struct devices *devices = arg;

	if (ret == -EACCES || ret == -EPERM || ret == -ETIMEDOUT)
		devices->all_processes_seen = false;
	for (size_t i = 0; !ret && pid != getpid() && i < devices->count; i++)
		if (held[i])
			add_holder(&devices->list[i], pid);
}

static void find_holders(struct devices *devices)
{
	const struct inspection inspection = {
		.size = devices->count,
		.look = look_at_process,
		.told = told_of_process,
		.arg = devices,
	};
	size_t count;
	pid_t *pids = process_list(&count);

	if (!pids)
		devices->all_processes_seen = false;
	inspect(&inspection, pids, count);
	free(pids);
}

void devices_list(struct devices *devices)
{
	struct dirent **names;
	int n = scandir(CLASS, &names, NULL, versionsort);

	*devices = (struct devices){.all_processes_seen = true};
	if (n <= 0)
		return;
	devices->list = calloc((size_t)n, sizeof(*devices->list));
	if (!devices->list)
		give_up("out of memory");
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.')
			read_device(&devices->list[devices->count++], names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

void devices_read(struct devices *devices)
{
	devices_list(devices);
	for (size_t i = 0; i < devices->count; i++)
		if (devices->list[i].noiommu)
			devices->list[i].error = try_open(&devices->list[i]);
	if (devices->count)
		find_holders(devices);
}

void devices_free(struct devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		free(devices->list[i].holders);
	free(devices->list);
	*devices = (struct devices){0};
}

static bool is_free(const struct device *device)
{
	return device->noiommu && !device->error && !device->holder_count;
}

const struct device *devices_free_one(const struct devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		if (is_free(&devices->list[i]))
			return &devices->list[i];
	return NULL;
}

json_t *devices_json(const struct devices *devices)
{
	json_t *array = json_array();

	for (size_t i = 0; i < devices->count; i++) {
		const struct device *device = &devices->list[i];
		json_t *holders = json_array();

		for (size_t h = 0; h < device->holder_count; h++)
			json_array_append_new(holders,
					      json_pack("{s:i, s:s}", "pid", device->holders[h].pid,
							"comm", device->holders[h].comm));
		json_array_append_new(
			array, json_pack("{s:s, s:s?, s:s, s:s, s:s, s:s, s:s?, s:b, s:o}", "name",
					 device->name, "node",
					 device->noiommu ? device_node(device) : NULL, "address",
					 device->address, "vendor", device->vendor, "device",
					 device->product, "driver", device->driver, "group",
					 device->group[0] ? device->group : NULL, "free",
					 is_free(device), "holders", holders));
	}
	return array;
}
