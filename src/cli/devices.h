/* SPDX-License-Identifier: MIT */
/* The devices of VFIO, and the processes that hold them. */
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
	char name[64];	  /* of its cdev, even if the kernel made none: noiommu-vfioN, vfioN */
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
	bool all_processes_seen; /* if not, an unseen process may hold a device */
};

/* Lists the devices. Opens none, and does not look for holders. */
void devices_list(struct devices *devices);

/* Lists the devices, with error and holders. */
void devices_read(struct devices *devices);

void devices_free(struct devices *devices);

/* The first no-IOMMU device that nobody holds and that can be opened, or NULL. */
const struct device *devices_free_one(const struct devices *devices);

/* /dev/vfio/devices/NAME */
const char *device_node(const struct device *device);

json_t *devices_json(const struct devices *devices);

#endif
