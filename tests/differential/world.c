/* SPDX-License-Identifier: MIT */
/*
 * The devices under test. Steps and answers speak of them by letter: $dA is the
 * PCI address of the first, $gA the number of its group, because numbers may
 * differ between two machines that behave the same.
 */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "differential.h"

static struct {
	int nr;
	char addresses[128];
	char profile[MAX_DEVICES + 1];
	struct device {
		char address[32];
		char group[16];
		dev_t rdev;
	} device[MAX_DEVICES];
	dev_t container;
} world;

static dev_t rdev_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_rdev;
}

static void find_group(struct device *device)
{
	char path[96], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device->address);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		length = 0;
	target[length] = 0;
	snprintf(device->group, sizeof(device->group), "%.15s",
		 length ? strrchr(target, '/') + 1 : "none");

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%s", device->group);
	device->rdev = rdev_of(path);
}

static bool is_behind_bridge(const struct device *device)
{
	char path[96], target[256], *end;
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device->address);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = 0;

	/* .../pci0000:00/0000:00:10.0 is on the root bus. */
	end = strrchr(target, '/');
	if (end)
		*end = 0;
	end = strrchr(target, '/');
	return end && strncmp(end, "/pci", 4);
}

/*
 * The first open and the last close of a device reset it, or its bus, where that
 * can be done, and the kernel takes 100 ms and more for each: 's' for slow. The
 * others are quick, and sequences can open them freely.
 */
static char find_speed(const struct device *device)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", device->address);
	return !access(path, F_OK) || is_behind_bridge(device) ? 's' : 'q';
}

void world_find(const char *addresses)
{
	char list[sizeof(world.addresses)], *save = NULL, *address;

	snprintf(list, sizeof(list), "%s", addresses ? addresses : "");
	memcpy(world.addresses, list, sizeof(list));

	for (address = strtok_r(list, ", ", &save); address && world.nr < MAX_DEVICES;
	     address = strtok_r(NULL, ", ", &save)) {
		struct device *device = &world.device[world.nr];

		snprintf(device->address, sizeof(device->address), "%s", address);
		find_group(device);
		world.profile[world.nr++] = find_speed(device);
	}
	world.container = rdev_of("/dev/vfio/vfio");
}

const char *world_addresses(void)
{
	return world.addresses;
}

int world_devices(void)
{
	return world.nr;
}

const char *world_profile(void)
{
	return world.profile;
}

static size_t append(char *out, size_t used, size_t size, const char *text, size_t length)
{
	if (length > size - 1 - used)
		length = size - 1 - used;
	memcpy(out + used, text, length);
	out[used + length] = 0;
	return used + length;
}

/* Longer than the page that GROUP_GET_DEVICE_FD takes a name of. */
static size_t append_long(char *out, size_t used, size_t size)
{
	for (int i = 0; i < 4200; i++)
		used = append(out, used, size, "x", 1);
	return used;
}

/* $dA, $gA and $long into what they stand for */
void world_expand(const char *text, char *out, size_t size)
{
	size_t used = 0;

	*out = 0;
	while (*text) {
		int i = text[0] == '$' && text[1] ? text[2] - 'A' : -1;

		if (!strncmp(text, "$long", 5)) {
			used = append_long(out, used, size);
			text += 5;
		} else if (i >= 0 && i < world.nr && strchr("dg", text[1])) {
			const struct device *device = &world.device[i];
			const char *value = text[1] == 'd' ? device->address : device->group;

			used = append(out, used, size, value, strlen(value));
			text += 3;
		} else {
			used = append(out, used, size, text++, 1);
		}
	}
}

static bool is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && !strncmp(word, name, length);
}

static size_t append_name(char *out, size_t used, size_t size, const char *word, size_t length)
{
	const char *prefix = "noiommu-";
	size_t skip = length > strlen(prefix) && !strncmp(word, prefix, strlen(prefix))
			      ? strlen(prefix)
			      : 0;
	char name[] = "$d?";

	for (int i = 0; i < world.nr; i++) {
		name[2] = 'A' + i;
		if (is(word, length, world.device[i].address))
			return append(out, used, size, name, 3);
		if (is(word + skip, length - skip, world.device[i].group)) {
			name[1] = 'g';
			used = append(out, used, size, word, skip);
			return append(out, used, size, name, 3);
		}
	}
	return append(out, used, size, word, length);
}

/* The reverse, for whole components of a path or a list */
void world_normalise(const char *text, char *out, size_t size)
{
	static const char separators[] = "/, \n";
	size_t used = 0;

	*out = 0;
	while (*text) {
		size_t length = strcspn(text, separators);

		used = append_name(out, used, size, text, length);
		text += length;
		length = strspn(text, separators);
		used = append(out, used, size, text, length);
		text += length;
	}
}

int world_device_of_group(uint32_t group)
{
	for (int i = 0; i < world.nr; i++)
		if (strtoul(world.device[i].group, NULL, 10) == group)
			return i;
	return -1;
}

void world_group_node(int i, char *path, size_t size)
{
	snprintf(path, size, "/dev/vfio/noiommu-%s", world.device[i].group);
}

/* "" where the kernel has none. */
void world_cdev_node(int i, char *path, size_t size)
{
	char pattern[96];
	glob_t found;

	*path = 0;
	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/vfio-dev/*",
		 world.device[i].address);
	if (glob(pattern, 0, NULL, &found))
		return;
	snprintf(path, size, "/dev/vfio/devices/%s", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
}

void world_node(uint64_t rdev, char *out, size_t size)
{
	if (rdev == world.container) {
		snprintf(out, size, "container");
		return;
	}
	for (int i = 0; i < world.nr; i++) {
		if (rdev == world.device[i].rdev) {
			snprintf(out, size, "group-%c", 'A' + i);
			return;
		}
	}
	snprintf(out, size, "other");
}
