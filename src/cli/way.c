/* SPDX-License-Identifier: MIT */
#include "cli/way.h"

#include <stddef.h>
#include <string.h>

static const struct way ways[] = {
	{"group", "group path", "group", NULL, .needs_group = true},
	{"cdev", "cdev path", "cdev", NULL, .needs_cdev = true},
	{"iommufd", "by iommufd", "cdev", "iommufd", .needs_cdev = true},
	{"uring", "by io_uring", "auto", "uring", .needs_cdev = false},
};

const struct way *way_find(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, name))
			return &ways[i];
	return NULL;
}
