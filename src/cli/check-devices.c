/* SPDX-License-Identifier: MIT */
#include "cli/check.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/kconfig.h"
#include "cli/progress.h"

#define PARAMETER "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

void check_mode(struct check *c)
{
	static const char name[] = "no-IOMMU mode";
	FILE *file = fopen(PARAMETER, "re");
	int value = file ? fgetc(file) : 0;

	if (file)
		fclose(file);
	if (value == 'Y') {
		OK(c, name, "on");
	} else if (file) {
		MISSING(c, name, "off");
		MEND(c, "echo 1 > " PARAMETER);
	} else if (kconfig_value("VFIO_NOIOMMU") == 'n') {
		NO_CDEV(c, name, "the kernel was built without it");
		MEND(c, "boot a kernel with CONFIG_VFIO_NOIOMMU=y");
	} else {
		NO_CDEV(c, name, "the module vfio is not loaded, or has no such mode");
		MEND(c, "modprobe vfio enable_unsafe_noiommu_mode=1");
	}
}

static bool is_behind_iommu(const struct device *device)
{
	return !device->noiommu && !device->group[0];
}

static const char *state_of(const struct device *device)
{
	if (is_behind_iommu(device))
		return "behind an IOMMU";
	if (!device->noiommu)
		return device->holder_count ? "has no cdev, held by" : "has no cdev";
	if (device->holder_count)
		return "held by";
	switch (device->error) {
	case 0:
		return "free";
	case ENOENT:
		return "no node here";
	default:
		return "may not be opened";
	}
}

static void list_devices(struct check *c)
{
	bool behind_iommu = false;

	for (size_t i = 0; i < c->devices.count; i++) {
		const struct device *device = &c->devices.list[i];

		DETAIL(c, "%-13s %s %s:%s %s, %s", device->name, device->address, device->vendor,
		       device->product, device->driver, state_of(device));
		for (size_t h = 0; h < device->holder_count; h++)
			DETAIL(c, "  %d (%s)", device->holders[h].pid, device->holders[h].comm);
		behind_iommu |= is_behind_iommu(device);
	}
	if (behind_iommu)
		DETAIL(c, "behind an IOMMU: VFIO pins the memory of their drivers itself");
}

static void mend_no_device(struct check *c)
{
	for (size_t i = 0; i < c->devices.count; i++) {
		if (c->devices.list[i].group[0]) {
			MEND(c, "boot a kernel with CONFIG_VFIO_DEVICE_CDEV=y, 7.3 or later");
			return;
		}
	}
	if (c->devices.count) {
		MEND(c, "boot with the IOMMU off (intel_iommu=off or amd_iommu=off)");
		return;
	}
	if (kconfig_value("VFIO_PCI") == 'n') {
		MEND(c, "boot a kernel with CONFIG_VFIO_PCI=y");
		return;
	}
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		MEND(c, "modprobe vfio-pci");
	MEND(c, "BDF=0000:00:00.0    # yours, see lspci -nn");
	MEND(c, "echo vfio-pci > /sys/bus/pci/devices/$BDF/driver_override");
	MEND(c, "echo $BDF > /sys/bus/pci/devices/$BDF/driver/unbind");
	MEND(c, "echo $BDF > /sys/bus/pci/drivers_probe");
}

/* No device can be used. Says what makes the first one usable. */
static void mend_no_free_device(struct check *c, const struct device *device)
{
	if (device->holder_count) {
		MEND(c, "end process %d (%s), or bind one more device to vfio-pci",
		     device->holders[0].pid, device->holders[0].comm);
	} else if (device->error == EPERM && !check_capability(CAP_SYS_RAWIO)) {
		MEND(c, "give CAP_SYS_RAWIO, see below");
	} else if (device->error == ENOENT || device->error == EPERM) {
		check_mend_node(c, device_node(device));
	} else {
		MEND(c, "run as root, or give your user the node:");
		MEND(c, "chown %u %s", (unsigned int)getuid(), device_node(device));
	}
}

void check_devices(struct check *c)
{
	static const char name[] = "no-IOMMU devices";
	const struct device *first = NULL;
	size_t all = 0, unheld = 0;

	progress("looking at the devices, and at who has them open");
	devices_read(&c->devices);
	for (size_t i = 0; i < c->devices.count; i++) {
		const struct device *device = &c->devices.list[i];

		if (!device->noiommu)
			continue;
		first = first ? first : device;
		all++;
		unheld += !device->holder_count && !device->error;
	}
	if (!all)
		NO_CDEV(c, name, "none");
	else if (!unheld)
		MISSING(c, name, "%zu, none free", all);
	else
		OK(c, name, "%zu, %zu free%s", all, unheld,
		   c->devices.all_processes_seen ? "" : " as far as can be seen");
	list_devices(c);
	if (!all)
		mend_no_device(c);
	else if (!unheld)
		mend_no_free_device(c, first);
}

void check_reset(struct check *c)
{
	static const char name[] = "a page pinned";
	const struct device *device = devices_free_one(&c->devices);
	struct trial_result result;

	if (!c->reset)
		return;
	if (!device || c->answer.open_error) {
		NOTE(c, name, "not tried: there is no free device");
		return;
	}
	progress("resetting %s, and pinning a page", device->address);
	result = trial_run(device);
	if (result.step && (result.error == EBUSY || result.error == EAGAIN)) {
		MISSING(c, name, "%s is held by a process that is not seen here (%s: %s)",
			device->name, result.step, strerror(result.error));
		MEND(c, "end it, or bind one more device to vfio-pci");
	} else if (result.step) {
		MISSING(c, name, "%s failed on %s: %s", result.step, device->name,
			strerror(result.error));
		MEND(c, "see the kernel's log (dmesg)");
	} else if (result.told && result.told != result.pa) {
		MISSING(c, name, "GET_PA says 0x%lx, pagemap 0x%lx", result.pa, result.told);
		MEND(c, "report it: this kernel does not behave as Linux 7.3 does");
	} else {
		OK(c, name, "at 0x%lx%s; %s was reset", result.pa,
		   result.told ? ", as pagemap says" : "", device->address);
	}
}

void check_groups(struct check *c)
{
	bool container = !access("/dev/vfio/vfio", F_OK);
	size_t groups = 0;

	for (size_t i = 0; i < c->devices.count; i++)
		groups += c->devices.list[i].group[0] != '\0';
	if (container && groups)
		OK(c, "legacy groups", "%zu, and /dev/vfio/vfio (not needed)", groups);
	else
		OK(c, "legacy groups", "%s (not needed)",
		   container ? "/dev/vfio/vfio, but no no-IOMMU group" : "none");
}

void check_rights(struct check *c)
{
	static const char name[] = "CAP_SYS_RAWIO";

	if (check_capability(CAP_SYS_RAWIO)) {
		OK(c, name, "this process has it");
	} else if (check_initial_namespace()) {
		MISSING(c, name, "this process does not have it");
		MEND(c, "run as root; in a unit file: AmbientCapabilities=CAP_SYS_RAWIO");
		MEND(c, "in a container: --cap-add=SYS_RAWIO");
		MEND(c, "in a pod: securityContext: {capabilities: {add: [SYS_RAWIO]}}");
	} else {
		MISSING(c, name, "does not count in a user namespace");
		MEND(c, "in a container: neither rootless nor with --userns");
		MEND(c, "in a pod: hostUsers: true; in a unit file: PrivateUsers=no");
	}
}
