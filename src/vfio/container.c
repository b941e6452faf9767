/* SPDX-License-Identifier: MIT */
#include "vfio/container.h"

#include <errno.h>

#include "base/limit.h"
#include "base/log.h"
#include "base/slab.h"
#include "base/state.h"
#include "base/sys.h"
#include "iommufd/ioas.h"
#include "vfio/inherited.h"
#include "base/rights.h"
#include "vfio/membership.h"
#include "uapi/vfio.h"

static struct slab containers = {.size = sizeof(struct container)};
static struct container *newest;
static const struct object_operations operations;

static void release(struct object *object)
{
	state_add(containers, -1);
	if (newest == (struct container *)object)
		newest = NULL;
	slab_free(&containers, object);
	inherited_settle();
}

static struct container *new_container(int fd, unsigned int number)
{
	struct container *container = slab_alloc(&containers);

	if (!container)
		return NULL;
	container->object.ops = &operations;
	container->object.flags = object_file_flags(O_RDWR);
	container->number = number;
	object_identify(&container->object, fd);
	state_add(containers, 1);
	newest = container;
	return container;
}

struct container *container_adopt(int fd)
{
	struct container *container = NULL;

	if (ioas_adopt(fd))
		container = newest ? newest : new_container(fd, membership_adopted());
	return container && !fdtab_install(fd, &container->object) ? container : NULL;
}

void container_abandon(void)
{
	newest = NULL;
}

int container_open(int fd, int flags)
{
	struct container *container;
	int ret = ioas_open();

	if (ret) {
		log_error("cannot open /dev/iommu (%e), which the container /dev/vfio/vfio needs: "
			  "run as root, or give this user the node",
			  ret);
		return ret;
	}
	container = new_container(ioas_fd(), membership_new_container());
	if (!container)
		return -ENOMEM;
	container->object.flags = object_file_flags(flags);
	if (fd >= 0)
		fd = sys_dup3(ioas_fd(), fd, flags & O_CLOEXEC);
	else
		fd = (int)sys_fcntl(ioas_fd(), flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
	if (fd < 0) {
		release(&container->object);
		return fd;
	}
	ret = fdtab_install(fd, &container->object);
	if (ret)
		sys_close(fd);
	return ret ? ret : fd;
}

/* vfio_iommu_type1_check_extension() in drivers/vfio/vfio_iommu_type1.c. */
static bool type1_has(unsigned long extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return true;
	default:
		return false;
	}
}

/* The module parameter, which can change at any time. */
static bool noiommu_enabled(void)
{
	int fd = limit_open("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
			    O_RDONLY | O_CLOEXEC);
	char value = 'N';

	if (fd >= 0) {
		sys_read(fd, &value, 1);
		sys_close(fd);
	}
	return value == 'Y';
}

/*
 * An empty container answers for every IOMMU driver of the kernel; one with no-IOMMU
 * groups only for the no-IOMMU one.
 */
static long check_extension(unsigned int number, unsigned long extension)
{
	if (extension == VFIO_NOIOMMU_IOMMU)
		return noiommu_enabled();
	return type1_has(extension) && membership_is_empty(number);
}

static long set_iommu(unsigned int number, unsigned long type)
{
	if (membership_is_empty(number) || membership_has_iommu(number))
		return -EINVAL;
	if (type != VFIO_NOIOMMU_IOMMU || !noiommu_enabled())
		return -ENODEV;
	if (!rights_sys_rawio())
		return -EPERM;
	membership_set_iommu(number);
	return 0;
}

static void replace(int fd, void *arg)
{
	long flags = sys_fcntl(fd, F_GETFD, 0);

	sys_dup3(*(int *)arg, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

static void take_fd(int fd, void *arg)
{
	*(int *)arg = fd;
}

int container_make_real(struct container *container)
{
	int real, fd = -1;

	/* A container cannot have both: vfio_container_attach_group(). */
	if (!membership_is_empty(container->number))
		return -EPERM;
	real = limit_open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (real < 0)
		return real;
	fdtab_each(&container->object, replace, &real);
	sys_close(real);
	object_hold(&container->object);
	while (fdtab_has(&container->object)) {
		fdtab_each(&container->object, take_fd, &fd);
		fdtab_drop(fd);
	}
	object_release(&container->object);
	return 0;
}

static long answer(unsigned int number, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return check_extension(number, arg);
	case VFIO_SET_IOMMU:
		return set_iommu(number, arg);
	default:
		return membership_has_iommu(number) ? -ENOTTY : -EINVAL;
	}
}

static bool container_ioctl(struct object *object, int fd, unsigned int cmd, unsigned long arg,
			    long *ret)
{
	(void)fd;
	membership_note_all();
	*ret = answer(((struct container *)object)->number, cmd, arg);
	return true;
}

static size_t container_name(const struct object *object, char *to, size_t size)
{
	(void)object;
	return format(to, size, "/dev/vfio/vfio");
}

static int container_open_again(const struct object *object, int fd, int flags)
{
	(void)object;
	return fd < 0 ? fd : container_open(fd, flags);
}

static const struct object_operations operations = {
	.kind = FD_CONTAINER,
	.traced = TRACE_CONTAINER,
	.is_vfio = true,
	.own_flags = ~0,
	.release = release,
	.ioctl = container_ioctl,
	.name = container_name,
	.open_again = container_open_again,
};
