/* SPDX-License-Identifier: MIT */
#include "backend/path.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "backend/backend.h"
#include "base/dir.h"
#include "base/event.h"
#include "base/log.h"
#include "base/settings.h"
#include "base/state.h"
#include "base/sys.h"
#include "iommufd/cdev.h"
#include "iommufd/ioas.h"

static int found(const struct cdev *cdev, void *arg)
{
	(void)cdev;
	(void)arg;
	return 1;
}

/*
 * Why there is no cdev path, and what to do about it; NULL: there is one. *error is set
 * when that is unknown.
 */
static const char *obstacle(int *error)
{
	int ret = cdev_each(found, NULL);

	*error = ret < 0 && ret != -ENOENT ? ret : 0;
	if (ret < 0)
		return "this kernel has no VFIO device cdevs (CONFIG_VFIO_DEVICE_CDEV and "
		       "CONFIG_VFIO_NOIOMMU, Linux 7.3 or later)";
	if (!ret)
		return "no device has a no-IOMMU cdev: that takes Linux 7.3 or later with "
		       "CONFIG_VFIO_DEVICE_CDEV, and one that was bound to vfio-pci with "
		       "vfio.enable_unsafe_noiommu_mode=1";
	ret = ioas_open();
	if (ret == -ENOENT)
		return "there is no /dev/iommu: load the module iommufd, or give the node to this "
		       "container";
	if (!ret && !ioas_has_get_pa())
		return "this kernel lacks IOMMU_IOAS_NOIOMMU_GET_PA, which Linux 7.3 brought";
	/* Missing rights say nothing about the kernel. The program's own calls will fail. */
	return NULL;
}

static int is_real_group(const char *name, void *arg)
{
	(void)arg;
	return *name >= '0' && *name <= '9';
}

static int is_real_device(const char *name, void *arg)
{
	(void)arg;
	return !strncmp(name, "vfio", 4);
}

/* True when a program may use VFIO with an IOMMU, which pins memory without the library. */
static bool has_iommu(void)
{
	int ret = dir_each("/sys/class/vfio", is_real_group, NULL);

	/* A kernel without groups has cdevs: noiommu-vfioN, or vfioN with an IOMMU. */
	if (ret == -ENOENT)
		ret = dir_each("/sys/class/vfio-dev", is_real_device, NULL);
	return ret > 0 || dir_each("/dev/vfio", is_real_group, NULL) > 0;
}

/* Why the group path is used; NULL once the log has said what that means for memory. */
static const char *untold;

void path_tell_unpinned(void)
{
	int error;

	if (!untold)
		return;
	error = backend_take_uring();
	if (error)
		log_warn("memory is not pinned, the group path is used as it is: %s; io_uring does "
			 "not pin it either: %s",
			 untold, backend_obstacle(error));
	else
		log_info("memory is pinned by io_uring, the group path is used as it is: %s",
			 untold);
	untold = NULL;
}

static void tell(const char *why)
{
	event_fallback(why, settings.mode == MODE_CDEV ? -ENODEV : 0);
	if (settings.mode == MODE_CDEV) {
		log_error("refusing, as NOIOMMU_SHIM_MODE=cdev asks: %s", why);
		return;
	}
	untold = why;
	if (has_iommu())
		log_info("the group path is used as it is: %s", why);
	else
		path_tell_unpinned();
}

int path_choose(void)
{
	static bool chosen, told;
	const char *why;
	int error;

	if (settings.mode == MODE_GROUP) {
		state_set(path, STATE_PATH_GROUP);
		return 1;
	}
	if (chosen)
		return 0;
	why = obstacle(&error);
	if (error)
		return error;
	if (!why) {
		chosen = true;
		state_set(path, STATE_PATH_CDEV);
		return 0;
	}
	state_set(path, settings.mode == MODE_CDEV ? STATE_PATH_REFUSED : STATE_PATH_GROUP);
	if (!told) {
		told = true;
		tell(why);
	}
	return settings.mode == MODE_CDEV ? -ENODEV : 1;
}
