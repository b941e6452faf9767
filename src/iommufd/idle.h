/* SPDX-License-Identifier: MIT */
/*
 * Finds out whether a device that no process has opened through VFIO is in use. Drivers
 * can also map the BARs of a PCI device from sysfs, and enable it there.
 */
#ifndef IOMMUFD_IDLE_H
#define IOMMUFD_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "iommufd/cdev.h"

/*
 * The survey: looks at all processes that this one may see for device files that they
 * have open or mapped. It costs a scan of /proc, and can wait for another process's mmap
 * lock. Call it without the lock, which it takes.
 */
void idle_survey(void);

/*
 * 0: the last survey is recent. -EAGAIN: one is due. Another negative errno: it failed.
 * Needs the lock, as do the functions below.
 */
int idle_surveyed(void);

/* Discards the result of the last survey. */
void idle_forget(void);

/*
 * After idle_surveyed(): true when this process names the device on its command line, or
 * has files of it open or mapped.
 */
bool idle_is_wanted(const struct cdev *cdev);

/* The configuration space of a device, as far as this process may read it. */
struct idle_config {
	uint8_t bytes[256];
	unsigned int len; /* 0: not a PCI device */
};

/* 0 or a negative errno. */
int idle_read_config(const struct cdev *cdev, struct idle_config *config);

/*
 * 0: the device is idle. -EBUSY: it is in use, and *why says how. -EAGAIN: a survey has
 * to be made first. Another negative errno: unknown.
 */
int idle_prove(const struct cdev *cdev, const struct idle_config *config, const char **why);

/* Writes back the registers that differ from before. False if some still differ. */
bool idle_restore(const struct cdev *cdev, const struct idle_config *before);

#endif
