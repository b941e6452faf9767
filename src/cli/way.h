/* SPDX-License-Identifier: MIT */
/* The ways to run a program that `compare` knows. */
#ifndef CLI_WAY_H
#define CLI_WAY_H

#include <stdbool.h>

#include "cli/launch.h"

struct way {
	const char *name;
	const char *title;   /* above a column of 24 characters */
	const char *meaning; /* for who reads a report */
	const char *mode;    /* NOIOMMU_SHIM_MODE */
	const char *backend; /* NOIOMMU_SHIM_BACKEND; NULL: as it is */
	enum launch_via via;
	bool needs_cdev;
	bool needs_group;
};

/* The way with this name, or NULL. */
const struct way *way_find(const char *name);
#endif
