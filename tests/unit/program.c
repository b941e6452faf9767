/* SPDX-License-Identifier: MIT */
#include "door/fd.h"
#include "door/lookup.h"
#include "door/memory.h"
#include "door/open.h"
#include "fake.h"
#include "pin/pin.h"
#include "program.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int program_open(const char *path, int flags)
{
	int fd = sys_open(path, flags);

	if (fd < 0 && fd != -ENOENT && fd != -EBUSY)
		return fd;
	if (fd >= 0 && lookup_expect(path, flags, fd))
		return fd;
	return open_done(AT_FDCWD, path, flags, fd, 0);
}

int program_close(int fd)
{
	bool passed = fd_is_pagemap(fd);
	int ret;

	if (fdtab_kind(fd) != FD_NOT_OURS && !passed && fd_close(fd, &ret))
		return ret;
	ret = sys_close(fd);
	if (passed && !fdtab_is_expected(fd))
		fd_closed(fd);
	return ret;
}

int program_close_range(unsigned int first, unsigned int last)
{
	unsigned int end;
	int ret = 0;

	for (unsigned int at = first; !ret && fd_stretch(&at, last, &end); at = end + 1) {
		ret = (int)sys_call(SYS_close_range, at, end, 0, 0, 0, 0);
		if (end == last)
			break;
	}
	if (!ret)
		fd_range_closed(first, last);
	return ret;
}

static int duplicated(int oldfd, int newfd)
{
	if (newfd >= 0 && (fdtab_kind(oldfd) != FD_NOT_OURS || fdtab_kind(newfd) != FD_NOT_OURS))
		fd_duplicated(oldfd, newfd);
	return newfd;
}

int program_dup(int fd)
{
	return duplicated(fd, (int)sys_fcntl(fd, F_DUPFD, 0));
}

int program_dup2(int oldfd, int newfd)
{
	if (fdtab_kind(newfd) == FD_HIDDEN)
		fd_make_way(newfd);
	return duplicated(oldfd, sys_dup3(oldfd, newfd, 0));
}

long program_ioctl(int fd, unsigned int cmd, unsigned long arg)
{
	long ret;

	if (fd_may_ioctl(fd, cmd) && fd_ioctl(fd, cmd, arg, &ret))
		return ret;
	return sys_ioctl(fd, cmd, (void *)arg);
}

static ssize_t was_read(int fd, void *buf, ssize_t len, off_t pos)
{
	if (len <= 0 || fdtab_kind(fd) != FD_PAGEMAP)
		return len;
	return lookup_read(fd, buf, len, pos, 0);
}

ssize_t program_read(int fd, void *buf, size_t len)
{
	return was_read(fd, buf, sys_read(fd, buf, len), -1);
}

ssize_t program_pread(int fd, void *buf, size_t len, off_t pos)
{
	return was_read(fd, buf, sys_pread(fd, buf, len, pos), pos);
}

void program_unmap(uint64_t va, uint64_t len)
{
	memory_leaving(va, len);
	fake_unmap(va, len);
	memory_left(va, len);
}

void program_move(uint64_t from, uint64_t len, uint64_t to)
{
	struct memory_move move;

	memory_leaving(to, len);
	move = memory_moving(from, len);
	fake_move(from, len, to);
	memory_left(to, len);
	memory_moved(move, from, to, len);
}

void program_discard(uint64_t va, uint64_t len)
{
	fake_discard(va, len);
	memory_discarded(va, len, true);
}

long program_status(int group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	const struct vfio_group_status *user = fake_user(&status, sizeof(status));
	long ret = program_ioctl(group, VFIO_GROUP_GET_STATUS, (unsigned long)user);

	return ret ? ret : user->flags;
}

long program_set_container(int group, int container)
{
	return program_ioctl(group, VFIO_GROUP_SET_CONTAINER,
			     (unsigned long)fake_user(&container, sizeof(container)));
}

long program_get_device(int group, const char *name)
{
	return program_ioctl(group, VFIO_GROUP_GET_DEVICE_FD,
			     (unsigned long)fake_user(name, strlen(name) + 1));
}

ssize_t program_lookup(int pagemap, uint64_t va, uint64_t *entry)
{
	return program_pread(pagemap, entry, sizeof(*entry),
			     (off_t)(va / FAKE_4K * sizeof(*entry)));
}

uint64_t program_frame(int pagemap, uint64_t va)
{
	uint64_t entry;

	ck_assert_int_eq(program_lookup(pagemap, va, &entry), sizeof(entry));
	ck_assert(entry & PAGEMAP_PRESENT);
	ck_assert_uint_eq(entry & PAGEMAP_PFN, fake_pfn(va));
	ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
	return entry & PAGEMAP_PFN;
}

static unsigned int first_group;

int program_open_group(unsigned int device)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%u", first_group + device);
	return program_open(path, O_RDWR);
}

struct driver driver_open(unsigned int device)
{
	struct driver s;
	char text[64];

	s.container = program_open("/dev/vfio/vfio", O_RDWR);
	ck_assert_int_ge(s.container, 0);
	s.group = program_open_group(device);
	ck_assert_int_ge(s.group, 0);
	ck_assert_int_eq(program_set_container(s.group, s.container), 0);
	ck_assert_int_eq(program_ioctl(s.container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), 0);
	snprintf(text, sizeof(text), "0000:00:%02x.0", 4 + device);
	s.device = (int)program_get_device(s.group, text);
	ck_assert_int_ge(s.device, 0);
	return s;
}

void driver_close(const struct driver *s)
{
	ck_assert_int_eq(program_close(s->device), 0);
	ck_assert_int_eq(program_close(s->group), 0);
	ck_assert_int_eq(program_close(s->container), 0);
}

struct other other_open(unsigned int device)
{
	struct shim_vfio_device_bind_iommufd bind = {.argsz = sizeof(bind)};
	struct other other = {.iommufd = sys_open("/dev/iommu", O_RDWR)};
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/devices/noiommu-vfio%u", device);
	other.cdev = sys_open(path, O_RDWR);
	bind.iommufd = other.iommufd;
	ck_assert_int_eq(sys_ioctl(other.cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind), 0);
	return other;
}

void other_close(const struct other *other)
{
	ck_assert_int_eq(sys_close(other->cdev), 0);
	ck_assert_int_eq(sys_close(other->iommufd), 0);
}

static void setup(bool groups)
{
	fake_boot(2, groups);
	/* Without groups of the kernel's own they have the numbers of the cdevs. */
	first_group = groups ? FAKE_FIRST_GROUP : 0;
	sys_call = fake_sys_call;
}

void program_setup(void)
{
	setup(false);
}

void program_setup_with_groups(void)
{
	setup(true);
}

void program_teardown(void)
{
	ck_assert_uint_eq(fake_visible_descriptors(), 0);
	ck_assert_uint_le(fake.pinned, 1);
	sys_call = sys_call_kernel;
}
