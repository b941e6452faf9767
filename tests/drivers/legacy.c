/*
 * legacy.c - VFIO no-IOMMU and UIO as old drivers know them (see legacy.h)
 */
#define _GNU_SOURCE
#include "legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGEMAP		"/proc/self/pagemap"
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN	((1ULL << 55) - 1)

int legacy_error(const char *format, ...)
{
	int error = errno;
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(error));
	return -1;
}

/* ---- container, group, device ------------------------------------------ */

int legacy_group_number(const char *bdf)
{
	char path[128], target[512];
	const char *slash;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return legacy_error("%s", path);
	target[len] = '\0';
	slash = strrchr(target, '/');
	return atoi(slash ? slash + 1 : target);
}

static int open_container(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR);

	if (fd < 0)
		return legacy_error("/dev/vfio/vfio");
	if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION) {
		legacy_error("VFIO_GET_API_VERSION");
		close(fd);
		return -1;
	}
	return fd;
}

static int open_group(const char *bdf)
{
	char path[64];
	int number = legacy_group_number(bdf);
	int fd;

	if (number < 0)
		return -1;
	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", number);
	fd = open(path, O_RDWR);
	return fd < 0 ? legacy_error("%s", path) : fd;
}

/* Opens the device, from an open group and container. */
static int attach(struct legacy_device *dev, const char *bdf)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};

	if (ioctl(dev->group, VFIO_GROUP_GET_STATUS, &status) < 0)
		return legacy_error("VFIO_GROUP_GET_STATUS");
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		errno = EPERM;
		return legacy_error("the group of %s is not viable", bdf);
	}
	if (ioctl(dev->group, VFIO_GROUP_SET_CONTAINER, &dev->container) < 0)
		return legacy_error("VFIO_GROUP_SET_CONTAINER");
	if (ioctl(dev->container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU) < 0)
		return legacy_error("VFIO_SET_IOMMU");
	dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, bdf);
	return dev->fd < 0 ? legacy_error("VFIO_GROUP_GET_DEVICE_FD %s", bdf) : 0;
}

int legacy_open(struct legacy_device *dev, const char *bdf)
{
	*dev = (struct legacy_device){.container = -1, .group = -1, .fd = -1};
	dev->container = open_container();
	if (dev->container >= 0)
		dev->group = open_group(bdf);
	if (dev->group >= 0 && attach(dev, bdf) == 0)
		return 0;
	legacy_close(dev);
	return -1;
}

int legacy_open_uio(struct legacy_device *dev, const char *bdf)
{
	char path[128];

	*dev = (struct legacy_device){.container = -1, .group = -1, .bdf = bdf};
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	dev->fd = open(path, O_RDWR);
	return dev->fd < 0 ? legacy_error("%s", path) : 0;
}

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void legacy_close(struct legacy_device *dev)
{
	close_if_open(&dev->fd);
	close_if_open(&dev->group);
	close_if_open(&dev->container);
}

/* ---- regions ----------------------------------------------------------- */

static int region_info(const struct legacy_device *dev, unsigned int index,
		       struct vfio_region_info *info)
{
	*info = (struct vfio_region_info){.argsz = sizeof(*info), .index = index};
	if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info) < 0)
		return legacy_error("VFIO_DEVICE_GET_REGION_INFO %u", index);
	return 0;
}

/* Where the configuration space begins in dev->fd. */
static int find_config(const struct legacy_device *dev, off_t *offset)
{
	struct vfio_region_info config = {.offset = 0};

	if (!dev->bdf && region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &config) < 0)
		return -1;
	*offset = (off_t)config.offset;
	return 0;
}

int legacy_pci_id(const struct legacy_device *dev, uint32_t *id)
{
	uint16_t word[2];
	off_t config;

	if (find_config(dev, &config) < 0)
		return -1;
	if (pread(dev->fd, word, sizeof(word), config) != sizeof(word))
		return legacy_error("reading the device's identity");
	*id = (uint32_t)word[0] << 16 | word[1];
	return 0;
}

int legacy_enable_bus_master(const struct legacy_device *dev)
{
	uint16_t command;
	off_t config;

	if (find_config(dev, &config) < 0)
		return -1;
	if (pread(dev->fd, &command, sizeof(command), config + PCI_COMMAND) != sizeof(command))
		return legacy_error("reading the command register");
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(dev->fd, &command, sizeof(command), config + PCI_COMMAND) != sizeof(command))
		return legacy_error("writing the command register");
	return 0;
}

static void *map_shared(int fd, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

static void *map_resource(const char *bdf, unsigned int index)
{
	void *base = MAP_FAILED;
	struct stat stat;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource%u", bdf, index);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return MAP_FAILED;
	if (fstat(fd, &stat) == 0)
		base = map_shared(fd, (size_t)stat.st_size, 0);
	close(fd);
	return base;
}

volatile void *legacy_map_bar(const struct legacy_device *dev, unsigned int index)
{
	struct vfio_region_info bar;
	void *base;

	if (dev->bdf) {
		base = map_resource(dev->bdf, index);
	} else {
		if (region_info(dev, index, &bar) < 0)
			return NULL;
		base = map_shared(dev->fd, bar.size, (off_t)bar.offset);
	}
	if (base == MAP_FAILED) {
		legacy_error("mapping BAR %u", index);
		return NULL;
	}
	return base;
}

/* ---- physical addresses ------------------------------------------------ */

static uint64_t entry_to_phys(uint64_t entry, const void *va)
{
	if (!(entry & PAGEMAP_PRESENT) || !(entry & PAGEMAP_PFN)) {
		errno = ENXIO;
		legacy_error("%p has no physical address (entry %#llx)", va,
			     (unsigned long long)entry);
		return 0;
	}
	return (entry & PAGEMAP_PFN) * PAGE_SIZE + (uintptr_t)va % PAGE_SIZE;
}

uint64_t legacy_virt_to_phys(const void *va)
{
	off_t offset = (uintptr_t)va / PAGE_SIZE * sizeof(uint64_t);
	uint64_t entry = 0;
	bool ok;
	int fd;

	fd = open(PAGEMAP, O_RDONLY);
	if (fd < 0) {
		legacy_error(PAGEMAP);
		return 0;
	}
	ok = lseek(fd, offset, SEEK_SET) == offset &&
	     read(fd, &entry, sizeof(entry)) == sizeof(entry);
	if (!ok)
		legacy_error("reading " PAGEMAP " for %p", va);
	close(fd);
	return ok ? entry_to_phys(entry, va) : 0;
}

int legacy_virt_to_phys_bulk(const void *va, size_t pages, uint64_t *pa)
{
	off_t offset = (uintptr_t)va / PAGE_SIZE * sizeof(uint64_t);
	ssize_t wanted = pages * sizeof(*pa);
	ssize_t got;
	int fd;

	fd = open(PAGEMAP, O_RDONLY);
	if (fd < 0)
		return legacy_error(PAGEMAP);
	got = pread(fd, pa, wanted, offset);
	if (got != wanted)
		legacy_error("%zd of %zd bytes of " PAGEMAP " for %p", got, wanted, va);
	close(fd);
	if (got != wanted)
		return -1;
	for (size_t i = 0; i < pages; i++) {
		pa[i] = entry_to_phys(pa[i], (const char *)va + i * PAGE_SIZE);
		if (!pa[i])
			return -1;
	}
	return 0;
}
