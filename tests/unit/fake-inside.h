/* SPDX-License-Identifier: MIT */
/* What the parts of the fake kernel know of each other. */
#ifndef UNIT_FAKE_INSIDE_H
#define UNIT_FAKE_INSIDE_H

#include "fake.h"

#include <sys/stat.h>

/* Zeroed, and given back by the next fake_boot(). */
void *fake_alloc(size_t size);

/* ---- fake.c: names and open files ---- */

enum fake_type {
	FAKE_DIRECTORY,
	FAKE_LINK,
	FAKE_TEXT,
	FAKE_FDINFO,
	FAKE_PAGEMAP,
	FAKE_MAPS,
	FAKE_MEMORY,
	FAKE_IOMMU,
	FAKE_CONTAINER,
	FAKE_CDEV,
	FAKE_GROUP,
	FAKE_PIPE,
	FAKE_ENABLE, /* of a device in sysfs */
	FAKE_CONFIG,
	FAKE_URING,
	FAKE_LINES, /* what fake_add_lines() was given */
};

struct fake_node {
	struct fake_node *next;
	enum fake_type type;
	char path[128];
	char target[128]; /* of a link; of FAKE_LINES what is read */
	unsigned int device;
	const struct fake_open *about; /* of fdinfo */
	dev_t dev, rdev;
	ino_t ino;
	off_t size;
	uint64_t page_size; /* of a file in hugetlbfs */
};

struct fake_open {
	unsigned int refs;
	struct fake_node *node;
	off_t pos;
	int flags;	   /* of F_SETFL */
	const char *piped; /* what was written into a pipe */
	size_t piped_len;
	struct fake_uring *uring;
	struct fake_iommufd *iommufd; /* /dev/iommu: this one; a cdev: bound to that one */
};

struct fake_node *fake_node_add(enum fake_type type, const char *path);
struct fake_open *fake_open_of(int fd); /* NULL: none */
int fake_open_node(struct fake_node *node, int flags);
void fake_put(struct fake_open *open);

/* ---- fake-memory.c: the address space ---- */

void fake_memory_boot(void);

/* A page as iommufd pins it, one reference more on a frame, one less. */
int fake_pin(uint64_t va, bool writable, uint64_t *pfn);
void fake_pin_again(uint64_t pfn);
void fake_unpin(uint64_t pfn);

ssize_t fake_pagemap_read(const struct fake_node *node, uint64_t *entries, size_t len, off_t pos);
int fake_procmap_query(void *arg);
ssize_t fake_maps_read(char *buf, size_t len, off_t pos);
struct fake_node *fake_mapped(uint64_t va); /* the file that is mapped there */
int fake_pagemap_scan(void *arg);

/* ---- fake-iommufd.c: /dev/iommu and the devices ---- */

void fake_iommufd_boot(void);
bool fake_device_is_bound(unsigned int device);
struct fake_iommufd *fake_iommufd_new(void);
long fake_iommufd_ioctl(struct fake_iommufd *iommufd, unsigned int cmd, void *arg);
long fake_device_ioctl(struct fake_open *cdev, unsigned int cmd, void *arg);

/* A group is opened. The last close of a group, a cdev, an iommufd. */
int fake_group_open(unsigned int device);
void fake_group_release(unsigned int device);
void fake_device_release(struct fake_open *cdev);
void fake_iommufd_put(struct fake_iommufd *iommufd);

/* ---- fake-uring.c: registered buffers ---- */

int fake_uring_setup(void);
long fake_uring_register(int fd, unsigned int what, const void *arg, unsigned int nr);
void fake_uring_release(struct fake_open *open);

#endif
