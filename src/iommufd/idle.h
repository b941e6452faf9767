/* SPDX-License-Identifier: MIT */
/*
 * Does anybody use a device that no process has opened through VFIO? Drivers
 * also map the BARs of a PCI device from sysfs, and enable it there.
 */
#ifndef IOMMUFD_IDLE_H
#define IOMMUFD_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "iommufd/cdev.h"

/*
 * Looks through all processes that this one may see for files of devices that
 * they have open or mapped. It can wait for another process's memory: call it
 * without the lock, which it takes.
 */
void idle_survey(void);

/*
 * 0: that was done a moment ago, and tells. -EAGAIN: it is to be done. Another
 * negative errno: it could not be done. Needs the lock, as what follows does.
 */
int idle_surveyed(void);

/* What was found is not to be relied on any longer. */
void idle_forget(void);

/* After idle_surveyed(): this process names the device, or has files of it open. */
bool idle_is_wanted(const struct cdev *cdev);

/* A device's configuration space, as far as this process may see it. */
struct idle_config {
	uint8_t bytes[256];
	unsigned int len; /* 0: it is no PCI device */
};

/* 0 or a negative errno. */
int idle_read_config(const struct cdev *cdev, struct idle_config *config);

/*
 * 0: the device is proved idle. -EBUSY: it is not, and *why says by what. -EAGAIN:
 * a survey would have to tell. Another negative errno: it cannot be told.
 */
int idle_prove(const struct cdev *cdev, const struct idle_config *config, const char **why);

/* Writes back what is not as it was. False where something stays different. */
bool idle_restore(const struct cdev *cdev, const struct idle_config *before);

#endif
