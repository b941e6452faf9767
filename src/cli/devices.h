/* SPDX-License-Identifier: MIT */
/* The devices that VFIO has, and who holds them. */
#ifndef CLI_DEVICES_H
#define CLI_DEVICES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct holder {
	pid_t pid;
	char comm[32];
};

struct device {
	char name[64];	  /* of its cdev, also where the kernel made none: noiommu-vfioN, vfioN */
	char address[64]; /* on its bus: a PCI address for vfio-pci */
	char vendor[8], product[8];
	char driver[64];
	char group[64]; /* noiommu-N; "": the kernel has none */
	bool noiommu;	/* it has a no-IOMMU cdev */
	dev_t cdev, group_cdev;
	int error; /* of opening the cdev: 0 or an errno */
	struct holder *holders;
	size_t holder_count;
};

struct devices {
	struct device *list;
	size_t count;
	bool all_processes_seen; /* else somebody may hold a device unseen */
};

/* Those that there are; opens none, and looks for no holders. */
void devices_list(struct devices *devices);

/* These with error and holders. */
void devices_read(struct devices *devices);

void devices_free(struct devices *devices);

/* The first no-IOMMU device that nobody holds and that can be opened, or NULL. */
const struct device *devices_free_one(const struct devices *devices);

/* /dev/vfio/devices/NAME */
const char *device_node(const struct device *device);

json_t *devices_json(const struct devices *devices);

#endif
