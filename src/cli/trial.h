/* SPDX-License-Identifier: MIT */
/* Asks the kernel whether it has IOMMU_IOAS_NOIOMMU_GET_PA, and whether that works. */
#ifndef CLI_TRIAL_H
#define CLI_TRIAL_H

#include <stdint.h>

#include "cli/devices.h"

/* 0: the kernel has GET_PA. Else the errno of opening /dev/iommu, or of asking. */
struct trial_answer {
	int open_error;
	int error;
};
struct trial_answer trial_ask(void);

/*
 * Pins a page by io_uring for a moment. 0 or an errno; EACCES: this process may not see
 * frames.
 */
int trial_uring(void);

/*
 * Does once what the library does: binds the device, which resets it, pins a page,
 * asks for its physical address, and undoes all of this.
 */
struct trial_result {
	const char *step; /* the first that failed, NULL: none did */
	int error;	  /* its errno */
	uint64_t pa;	  /* in bytes */
	uint64_t told;	  /* by pagemap, in bytes; 0: pagemap does not show it */
};
struct trial_result trial_run(const struct device *device);

#endif
