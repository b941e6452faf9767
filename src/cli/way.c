/* SPDX-License-Identifier: MIT */
#include "cli/way.h"

#include <stddef.h>
#include <string.h>

static const struct way ways[] = {
	{.name = "group",
	 .title = "group path",
	 .meaning = "The kernel's own VFIO no-IOMMU groups. Nothing pins the pages that are "
		    "looked up.",
	 .mode = "group",
	 .needs_group = true},
	{.name = "cdev",
	 .title = "cdev path",
	 .meaning = "noiommu-shim serves the program from the device cdevs. iommufd pins the "
		    "pages that are looked up.",
	 .mode = "cdev",
	 .needs_cdev = true},
	{.name = "iommufd",
	 .title = "by iommufd",
	 .meaning = "The cdev path. Only iommufd pins, also before a device is open.",
	 .mode = "cdev",
	 .backend = "iommufd",
	 .needs_cdev = true},
	{.name = "uring",
	 .title = "by io_uring",
	 .meaning = "io_uring pins the pages that are looked up.",
	 .mode = "auto",
	 .backend = "uring"},
	{.name = "preload",
	 .title = "preloaded",
	 .meaning = "The library is preloaded into the program.",
	 .mode = "auto",
	 .via = VIA_PRELOAD},
	{.name = "trap",
	 .title = "trapped",
	 .meaning = "The kernel hands the program's system calls to the library.",
	 .mode = "auto",
	 .via = VIA_TRAP},
};

const struct way *way_find(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}
