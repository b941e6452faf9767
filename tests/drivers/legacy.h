/*
 * legacy.h - code that the small test drivers share: VFIO no-IOMMU as old drivers
 * know it (container, group, device), UIO, and physical addresses from pagemap.
 *
 * Nothing here uses the cdev, iommufd or the shim. Every function that can fail
 * prints on stderr what failed and why, and returns -1 (for an address: 0).
 */
#ifndef LEGACY_H
#define LEGACY_H

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define PAGE_SIZE ((unsigned long)sysconf(_SC_PAGESIZE))
#define HUGE_SIZE (2UL << 20)

struct legacy_device {
	int container;
	int group;
	int fd;
	const char *bdf; /* NULL: opened by VFIO */
};

/* Prints "program: what: text of errno" on stderr and returns -1. */
__attribute__((format(printf, 1, 2))) int legacy_error(const char *format, ...);

int legacy_open(struct legacy_device *dev, const char *bdf);

/* By UIO: opens the files in sysfs of its configuration space and its BARs. */
int legacy_open_uio(struct legacy_device *dev, const char *bdf);
void legacy_close(struct legacy_device *dev);

/* The number of the device's group, from sysfs. */
int legacy_group_number(const char *bdf);

/* The vendor in the upper half, the device in the lower half: 0x123411e8. */
int legacy_pci_id(const struct legacy_device *dev, uint32_t *id);

/* Without it the device's DMA goes nowhere. */
int legacy_enable_bus_master(const struct legacy_device *dev);

/* Maps a whole BAR. NULL on failure. */
volatile void *legacy_map_bar(const struct legacy_device *dev, unsigned int index);

/* One lookup: open, lseek, read, close, as in DPDK. */
uint64_t legacy_virt_to_phys(const void *va);

/* The addresses of many consecutive pages by one pread. */
int legacy_virt_to_phys_bulk(const void *va, size_t pages, uint64_t *pa);

#endif
