/* SPDX-License-Identifier: MIT */
#include "cli/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/kconfig.h"

/* Not only by its number: an older kernel may have a backport of what came with 7.3. */
void check_version(struct check *c)
{
	int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	if (major > 7 || (major == 7 && minor >= 3)) {
		OK(c, "Linux", "%s", name.release);
	} else if (!c->answer.open_error && (!c->answer.error || c->answer.error == EPERM)) {
		OK(c, "Linux", "%s, which has what came with 7.3", name.release);
	} else {
		c->lacks_cdevs = true;
		NO_CDEV(c, "Linux", "%s; no-IOMMU cdevs came with 7.3", name.release);
		MEND(c, "boot Linux 7.3 or later");
	}
}

void check_options(struct check *c)
{
	static const struct {
		const char *name;
		const char *option;
		bool needed;
	} options[] = {
		{"CONFIG_IOMMUFD", "IOMMUFD", true},
		{"CONFIG_VFIO", "VFIO", true},
		{"CONFIG_VFIO_DEVICE_CDEV", "VFIO_DEVICE_CDEV", true},
		{"CONFIG_VFIO_NOIOMMU", "VFIO_NOIOMMU", true},
		{"CONFIG_VFIO_PCI", "VFIO_PCI", true},
		{"CONFIG_VFIO_GROUP", "VFIO_GROUP", false},
	};

	if (!kconfig_read()) {
		UNTOLD(c, "kernel options", "no /proc/config.gz, no /boot/config-*");
		MEND(c, "modprobe configs");
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char value = kconfig_value(options[i].option);

		if (!options[i].needed) {
			OK(c, options[i].name, "%s (not needed)", value == 'n' ? "not set" : "y");
		} else if (value == 'n') {
			c->lacks_cdevs = true;
			NO_CDEV(c, options[i].name, "not set");
			MEND(c, "build the kernel with %s=y", options[i].name);
		} else {
			OK(c, options[i].name, "%c", value);
		}
	}
}

void check_iommufd(struct check *c)
{
	static const char name[] = "/dev/iommu";
	int error = c->answer.open_error;

	if (!error) {
		OK(c, name, "opens");
	} else if (error == ENOENT && !access("/sys/class/misc/iommu", F_OK)) {
		MISSING(c, name, "the kernel has it, the node is not here");
		check_mend_node(c, name);
	} else if (error == EPERM) {
		MISSING(c, name, "cannot be opened: %s", strerror(error));
		check_mend_node(c, name);
	} else if (error == ENOENT) {
		NO_CDEV(c, name, "there is none");
		MEND(c, kconfig_value("IOMMUFD") == 'n' ? "boot a kernel with CONFIG_IOMMUFD=y"
							: "modprobe iommufd");
	} else {
		MISSING(c, name, "cannot be opened: %s", strerror(error));
		MEND(c, "run as root, or give your user the node:");
		MEND(c, "chown %u /dev/iommu", (unsigned int)getuid());
	}
}

void check_get_pa(struct check *c)
{
	static const char name[] = "GET_PA";

	if (c->answer.open_error) {
		UNTOLD(c, name, "cannot be asked without /dev/iommu");
		return;
	}
	switch (c->answer.error) {
	case 0:
	case EPERM: /* the missing right is another finding */
		OK(c, name, "the kernel has IOMMU_IOAS_NOIOMMU_GET_PA");
		break;
	case EOPNOTSUPP:
		c->lacks_cdevs = true;
		NO_CDEV(c, name, "the kernel was built without it");
		MEND(c, "build it with CONFIG_VFIO_NOIOMMU=y and CONFIG_VFIO_DEVICE_CDEV=y");
		break;
	default:
		c->lacks_cdevs = true;
		NO_CDEV(c, name, "the kernel does not know IOMMU_IOAS_NOIOMMU_GET_PA: %s",
			strerror(c->answer.error));
		MEND(c, "boot Linux 7.3 or later");
	}
}

/* Where a filter is in force the library asks for io_uring only if the user says so. */
static bool is_filtered(void)
{
	const char *backend = getenv("NOIOMMU_SHIM_BACKEND");
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	int mode = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	if (file)
		fclose(file);
	return mode && (!backend || strcmp(backend, "uring") != 0);
}

static const char *uring_obstacle(int error)
{
	switch (error) {
	case ENOSYS:
		return "the kernel has none, or a seccomp profile hides it";
	case EPERM:
		return "not allowed, by kernel.io_uring_disabled or a seccomp profile";
	case EACCES:
		return "this process may not see page frames (CAP_SYS_ADMIN)";
	default:
		return "it pins no page";
	}
}

void check_uring(struct check *c)
{
	static const char name[] = "io_uring";
	int error;

	if (is_filtered()) {
		NOTE(c, name, "not tried: a seccomp filter is in force, as in a container");
		MEND(c, "export NOIOMMU_SHIM_BACKEND=uring    # if the filter allows it");
		return;
	}
	error = trial_uring();
	if (!error) {
		c->uring_pins = true;
		OK(c, name, "can pin memory");
		return;
	}
	NOTE(c, name, "%s: %s", uring_obstacle(error), strerror(error));
	if (check_number("/proc/sys", "kernel", "io_uring_disabled"))
		MEND(c, "sysctl kernel.io_uring_disabled=0");
}

void check_pagemap(struct check *c)
{
	if (!access("/proc/self/pagemap", F_OK)) {
		OK(c, "/proc/self/pagemap", "is there");
		return;
	}
	MISSING(c, "/proc/self/pagemap", "there is none");
	MEND(c, "build the kernel with CONFIG_PROC_PAGE_MONITOR=y");
}
