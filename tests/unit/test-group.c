/* SPDX-License-Identifier: MIT */
/* drivers/vfio/group.c, state by state, on a kernel without groups and on one with them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "fake.h"
#include "iommufd/cdev.h"
#include "iommufd/ioas.h"
#include "vfio/inherited.h"
#include "door/fd.h"
#include "door/fork.h"
#include "door/name.h"
#include "door/open.h"
#include "program.h"
#include "suites.h"
#include "uapi/vfio.h"
#include "vfio/group.h"

enum state { ALONE, WITH_CONTAINER, WITH_IOMMU, WITH_DEVICE, STATES };

static int container, group, device;

static void open_all(void)
{
	container = program_open("/dev/vfio/vfio", O_RDWR);
	group = program_open_group(0);
	device = -1;
	ck_assert_int_ge(container, 0);
	ck_assert_int_ge(group, 0);
}

static void setup(void)
{
	program_setup();
	open_all();
}

static void setup_with_groups(void)
{
	program_setup_with_groups();
	open_all();
}

static void teardown(void)
{
	if (device >= 0)
		program_close(device);
	if (group >= 0)
		program_close(group);
	if (container >= 0)
		program_close(container);
	program_teardown();
}

static void enter(int state)
{
	if (state >= WITH_CONTAINER)
		ck_assert_int_eq(program_set_container(group, container), 0);
	if (state >= WITH_IOMMU)
		ck_assert_int_eq(program_ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), 0);
	if (state >= WITH_DEVICE) {
		device = (int)program_get_device(group, DEVICE_0);
		ck_assert_int_ge(device, 0);
	}
}

static long unset_container(void)
{
	return program_ioctl(group, VFIO_GROUP_UNSET_CONTAINER, 0);
}

static long device_info(int fd)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	return program_ioctl(fd, VFIO_DEVICE_GET_INFO, (unsigned long)&info);
}

/* ---- GET_STATUS ---- */

START_TEST(status)
{
	static const long expected[STATES] = {
		[ALONE] = VFIO_GROUP_FLAGS_VIABLE,
		[WITH_CONTAINER... WITH_DEVICE] =
			VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET,
	};

	enter(_i);
	ck_assert_int_eq(program_status(group), expected[_i]);
}
END_TEST

START_TEST(status_bad_argument)
{
	struct vfio_group_status in = {.argsz = sizeof(in) - 1};

	enter(_i);
	ck_assert_int_eq(program_ioctl(group, VFIO_GROUP_GET_STATUS,
				       (unsigned long)fake_user(&in, sizeof(in))),
			 -EINVAL);
	ck_assert_int_eq(program_ioctl(group, VFIO_GROUP_GET_STATUS,
				       (unsigned long)fake_user(&in, sizeof(in)) + 1),
			 -EFAULT);
	ck_assert_int_eq(program_ioctl(group, VFIO_GROUP_GET_STATUS, 0), -EFAULT);
}
END_TEST

/* ---- SET_CONTAINER, UNSET_CONTAINER ---- */

START_TEST(set_container)
{
	enter(_i);
	ck_assert_int_eq(program_set_container(group, container), _i == ALONE ? 0 : -EINVAL);
}
END_TEST

START_TEST(set_container_bad_argument)
{
	int pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	long other = _i == ALONE ? -EBADFD : -EINVAL;

	enter(_i);
	ck_assert_int_eq(program_ioctl(group, VFIO_GROUP_SET_CONTAINER, 0), -EFAULT);
	ck_assert_int_eq(program_set_container(group, -1), -EBADF);
	ck_assert_int_eq(program_set_container(group, 777), -EBADF);
	ck_assert_int_eq(program_set_container(group, group), other);
	ck_assert_int_eq(program_set_container(group, pagemap), other);
	ck_assert_int_eq(program_set_container(group, 0), other);
	program_close(pagemap);
}
END_TEST

/* The library's own descriptors are not there, its iommufd least of all. */
START_TEST(set_container_hidden)
{
	int hidden = 3;

	enter(_i);
	while (fdtab_kind(hidden) != FD_HIDDEN)
		hidden++;
	ck_assert_int_eq(program_set_container(group, hidden), -EBADF);
}
END_TEST

START_TEST(set_container_without_rights)
{
	fake.rawio = false;
	ck_assert_int_eq(program_set_container(group, container), -EPERM);
	ck_assert_int_eq(program_status(group), VFIO_GROUP_FLAGS_VIABLE);
	fake.rawio = true;
}
END_TEST

/* The number of a container that a raw call closed, and what came after it. */
START_TEST(set_container_number_reused)
{
	sys_close(container);
	ck_assert_int_eq(program_set_container(group, container), -EBADF);
	ck_assert_int_eq(sys_open("/proc/self/maps", O_RDONLY), container);
	ck_assert_int_eq(program_set_container(group, container), -EBADFD);
	sys_close(container);
	container = -1;
}
END_TEST

/* What was pinned stays, also while no other device could lend its page table. */
START_TEST(raw_close_of_the_librarys_descriptor)
{
	int pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	uint64_t told;

	enter(WITH_DEVICE);
	fake_map(0x10000000, 2 * FAKE_4K, NULL, 0, 0);
	told = program_frame(pagemap, 0x10000000);
	ck_assert(fake_is_pinned(told));
	fake.log[0] = '\0';
	sys_close(ioas_fd());
	ck_assert(fake_is_pinned(told));
	ck_assert(fake_is_pinned(program_frame(pagemap, 0x10001000)));
	ck_assert(fake_is_pinned(told));
	ck_assert_uint_eq(program_frame(pagemap, 0x10000000), told);
	ck_assert_str_eq(fake.log, "");
	program_unmap(0x10000000, 2 * FAKE_4K);
	ck_assert_uint_le(fake.pinned, 1); /* the mark of the iommufd */
	program_close(pagemap);
}
END_TEST

START_TEST(unset)
{
	static const long expected[STATES] = {-EINVAL, 0, 0, -EBUSY};

	enter(_i);
	ck_assert_int_eq(unset_container(), expected[_i]);
	ck_assert_int_eq(program_status(group),
			 VFIO_GROUP_FLAGS_VIABLE |
				 (expected[_i] == -EBUSY ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0));
}
END_TEST

START_TEST(unset_and_again)
{
	enter(WITH_DEVICE);
	program_close(device);
	device = -1;
	ck_assert_int_eq(unset_container(), 0);
	ck_assert_int_eq(unset_container(), -EINVAL);
	enter(WITH_DEVICE);
	ck_assert_int_eq(device_info(device), 0);
}
END_TEST

/* ---- GET_DEVICE_FD ---- */

START_TEST(get_device)
{
	static const long expected[STATES] = {-EINVAL, -EINVAL, 0, 0};
	long ret;

	enter(_i);
	ret = program_get_device(group, DEVICE_0);
	ck_assert_int_eq(ret < 0 ? ret : 0, expected[_i]);
	if (ret < 0)
		return;
	ck_assert_int_eq(device_info((int)ret), 0);
	ck_assert_int_eq(sys_fcntl((int)ret, F_GETFD, 0), FD_CLOEXEC);
	program_close((int)ret);
}
END_TEST

START_TEST(get_device_bad_name)
{
	static const struct {
		const char *name;
		long error;
	} names[] = {
		{"", -ENODEV},
		{DEVICE_1, -ENODEV},
		{"0000:00:04", -ENODEV},
		{DEVICE_0 "1", -ENODEV},
		{DEVICE_0 "\tvf_token=", -ENODEV},
		{DEVICE_0 " x", -EINVAL},
		{DEVICE_0 " vf_token=", -EINVAL},
		{DEVICE_0 " vf_token=00112233-4455-6677-8899-aabbccddeef", -EINVAL},
		{DEVICE_0 " vf_token=00112233-4455-6677-8899-aabbccddeefg", -EINVAL},
		{DEVICE_0 " vf_token=00112233+4455-6677-8899-aabbccddeeff", -EINVAL},
		{DEVICE_0 " vf_token=00112233-4455-6677-8899-aabbccddeeff x", -EINVAL},
		{DEVICE_0 " vf_token=00112233-4455-6677-8899-aabbccddeeff"
			  " vf_token=00112233-4455-6677-8899-aabbccddeeff",
		 -EINVAL},
		/* Well-formed, and the device has none. */
		{DEVICE_0 " vf_token=00112233-4455-6677-8899-aabbccddeeff", -EINVAL},
	};

	enter(WITH_IOMMU);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(program_get_device(group, names[i].name) == names[i].error, "%s",
			      names[i].name);
	/* The name is looked at first. */
	ck_assert_int_eq(unset_container(), 0);
	ck_assert_int_eq(program_get_device(group, DEVICE_1), -ENODEV);
	enter(WITH_DEVICE);
}
END_TEST

START_TEST(get_device_with_spaces)
{
	enter(WITH_IOMMU);
	device = (int)program_get_device(group, DEVICE_0 "  ");
	ck_assert_int_ge(device, 0);
}
END_TEST

START_TEST(get_device_bad_pointer)
{
	char text[PAGE_LEAST + 1];

	enter(_i);
	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(program_ioctl(group, VFIO_GROUP_GET_DEVICE_FD, 0), -EFAULT);
	ck_assert_int_eq(
		program_ioctl(group, VFIO_GROUP_GET_DEVICE_FD, (unsigned long)fake_user(text, 100)),
		-EFAULT);
	ck_assert_int_eq(program_ioctl(group, VFIO_GROUP_GET_DEVICE_FD,
				       (unsigned long)fake_user(text, sizeof(text))),
			 -EINVAL);
}
END_TEST

START_TEST(get_device_without_rights)
{
	enter(WITH_IOMMU);
	fake.rawio = false;
	ck_assert_int_eq(program_get_device(group, DEVICE_0), -EPERM);
	fake.rawio = true;
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
}
END_TEST

START_TEST(token)
{
	static const unsigned char uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					       0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

	/* A token is for functions with SR-IOV, and of those for VFs that have one. */
	fake_add("/sys/devices/pci0000:00/" DEVICE_0 "/physfn", "../" DEVICE_1);
	fake.needs_token = true;
	memcpy(fake.token, uuid, sizeof(uuid));
	enter(WITH_IOMMU);
	ck_assert_int_eq(program_get_device(group, DEVICE_0), -EACCES);
	ck_assert_int_eq(program_get_device(group, DEVICE_0
					    " vf_token=10112233-4455-6677-8899-aabbccddeeff"),
			 -EACCES);
	device = (int)program_get_device(group,
					 DEVICE_0 " vf_token=00112233-4455-6677-8899-AaBbCcDdEeFf");
	ck_assert_int_ge(device, 0);
}
END_TEST

START_TEST(device_in_use_by_another)
{
	struct other other;

	enter(WITH_IOMMU);
	other = other_open(0);
	ck_assert_int_eq(program_get_device(group, DEVICE_0), -EBUSY);
	ck_assert_int_eq(unset_container(), 0);
	enter(WITH_IOMMU);
	other_close(&other);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
}
END_TEST

/* ---- what the guard is for: nobody takes the device of an open group ---- */

static long bind_raw(int cdev, int iommufd)
{
	struct shim_vfio_device_bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = iommufd};

	return sys_ioctl(cdev, VFIO_DEVICE_BIND_IOMMUFD, &bind);
}

START_TEST(guarded)
{
	int iommufd = sys_open("/dev/iommu", O_RDWR);
	int cdev = sys_open("/dev/vfio/devices/noiommu-vfio0", O_RDWR);

	ck_assert_int_eq(bind_raw(cdev, iommufd), -EBUSY);
	enter(WITH_DEVICE);
	ck_assert_int_eq(bind_raw(cdev, iommufd), -EINVAL);
	program_close(device);
	device = -1;
	ck_assert_int_eq(bind_raw(cdev, iommufd), -EBUSY);
	program_close(group);
	group = -1;
	ck_assert_int_eq(bind_raw(cdev, iommufd), 0);
	ck_assert_int_eq(program_open_group(0), -EBUSY);
	sys_close(cdev);
	sys_close(iommufd);
}
END_TEST

/* A child that another thread forks has a copy of the guard for a moment. */
START_TEST(guarded_by_a_child)
{
	enter(WITH_IOMMU);
	fake_fail(SYS_ioctl, VFIO_DEVICE_BIND_IOMMUFD, 1, EBUSY);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert(fake_failed());
	ck_assert_int_ge(device, 0);
}
END_TEST

/* ---- other ioctls ---- */

START_TEST(other_ioctls)
{
	static const unsigned int cmds[] = {VFIO_GET_API_VERSION, VFIO_CHECK_EXTENSION,
					    VFIO_SET_IOMMU,	  VFIO_DEVICE_GET_INFO,
					    VFIO_DEVICE_RESET,	  VFIO_DEVICE_BIND_IOMMUFD,
					    VFIO_IOMMU_MAP_DMA,	  0x1234};

	enter(_i);
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		ck_assert_int_eq(program_ioctl(group, cmds[i], 0), -ENOTTY);
}
END_TEST

/* ---- open and close ---- */

START_TEST(open_is_exclusive)
{
	enter(_i);
	ck_assert_int_eq(program_open_group(0), -EBUSY);
	program_close(group);
	/* The device holds its group. */
	group = program_open_group(0);
	if (_i < WITH_DEVICE) {
		ck_assert_int_ge(group, 0);
		ck_assert_int_eq(program_status(group), VFIO_GROUP_FLAGS_VIABLE);
		return;
	}
	ck_assert_int_eq(group, -EBUSY);
	program_close(device);
	device = -1;
	group = program_open_group(0);
	ck_assert_int_ge(group, 0);
}
END_TEST

START_TEST(open_held_by_another_process)
{
	int cdev;

	program_close(group);
	cdev = cdev_open(0);
	ck_assert_int_eq(cdev_lock(cdev, 0, CDEV_LOCK_GROUP, CDEV_EXCLUSIVE), 0);
	group = program_open_group(0);
	ck_assert_int_eq(group, -EBUSY);
	sys_close(cdev);
	group = program_open_group(0);
	ck_assert_int_ge(group, 0);
}
END_TEST

START_TEST(open_without_rights)
{
	fake.rawio = false;
	ck_assert_int_eq(program_open_group(1), -EPERM);
	fake.rawio = true;
}
END_TEST

START_TEST(open_of_no_group)
{
	static const char *const names[] = {"/dev/vfio/noiommu-2",  "/dev/vfio/noiommu-00",
					    "/dev/vfio/noiommu-1x", "/dev/vfio/noiommu-",
					    "/dev/vfio/noiommu--1", "/dev/vfio/noiommu-4294967296",
					    "/dev/noiommu-1"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(program_open(names[i], O_RDWR) == -ENOENT, "%s", names[i]);
}
END_TEST

/* Beside real IOMMU groups, ours have numbers that are none of theirs. */
START_TEST(number_beside_real_groups)
{
	fake_add("/sys/kernel/iommu_groups/0", NULL);
	ck_assert_int_eq(program_open("/dev/vfio/noiommu-1", O_RDWR), -ENOENT);
	program_close(group);
	group = program_open("/dev/vfio/noiommu-1000001", O_RDWR);
	ck_assert_int_ge(group, 0);
}
END_TEST

START_TEST(flags_of_open)
{
	program_close(group);
	group = program_open("/dev/vfio/noiommu-0", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(sys_fcntl(group, F_GETFD, 0), FD_CLOEXEC);
	enter(WITH_DEVICE);
	/* The last close of the device puts a fresh open of it there: as it was. */
	program_close(device);
	device = -1;
	ck_assert_int_eq(sys_fcntl(group, F_GETFD, 0), FD_CLOEXEC);
}
END_TEST

START_TEST(closed_in_any_order)
{
	static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	unsigned int opens;

	enter(WITH_DEVICE);
	opens = fake.device_opens;
	for (int round = 0; round < 2; round++) {
		int *fds[] = {&container, &group, &device};

		for (int i = 0; i < 3; i++) {
			int *fd = fds[orders[_i][i]];

			ck_assert_int_eq(program_close(*fd), 0);
			*fd = -1;
		}
		ck_assert_uint_eq(fake_visible_descriptors(), 0);
		open_all();
		enter(WITH_DEVICE);
		ck_assert_uint_eq(fake.device_opens, ++opens);
		ck_assert_int_eq(device_info(device), 0);
	}
}
END_TEST

/* Its last close closes the device, and resets it by that, with the group open or not. */
START_TEST(device_closed_and_opened_again)
{
	int copy;
	unsigned int opens;

	enter(WITH_DEVICE);
	opens = fake.device_opens;
	copy = program_dup(device);
	program_close(device);
	ck_assert_int_eq(device_info(copy), 0);
	ck_assert_int_eq(unset_container(), -EBUSY);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
	ck_assert_uint_eq(fake.device_opens, opens);
	program_close(copy);
	program_close(device);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
	ck_assert_uint_eq(fake.device_opens, opens + 1);
}
END_TEST

/* Also while the descriptor of the group was duplicated: all its numbers get the fresh one. */
START_TEST(group_duplicated)
{
	int copy = program_dup(group);
	unsigned int opens;

	enter(WITH_DEVICE);
	opens = fake.device_opens;
	program_close(device);
	program_close(group);
	group = copy;
	ck_assert_int_eq(program_open_group(0), -EBUSY);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
	ck_assert_uint_eq(fake.device_opens, opens + 1);
}
END_TEST

START_TEST(mapped_bar_keeps_the_device)
{
	unsigned int opens;

	enter(WITH_DEVICE);
	opens = fake.device_opens;
	fake_map_device(FAKE_1G, 4 * FAKE_4K, device);
	program_close(device);
	device = -1;
	ck_assert_int_eq(unset_container(), -EBUSY);
	fake_unmap(FAKE_1G, 4 * FAKE_4K);
	ck_assert_int_eq(unset_container(), 0);
	enter(WITH_DEVICE);
	ck_assert_uint_eq(fake.device_opens, opens + 1);
}
END_TEST

START_TEST(mapped_bar_keeps_the_group)
{
	enter(WITH_DEVICE);
	fake_map_device(FAKE_1G, 4 * FAKE_4K, device);
	program_close(device);
	program_close(group);
	device = -1;
	ck_assert_int_eq(program_open_group(0), -EBUSY);
	fake_unmap(FAKE_1G, 4 * FAKE_4K);
	group = program_open_group(0);
	ck_assert_int_ge(group, 0);
}
END_TEST

START_TEST(two_devices)
{
	struct driver second;

	enter(WITH_DEVICE);
	second = driver_open(1);
	ck_assert_int_eq(device_info(second.device), 0);
	program_close(device);
	device = -1;
	ck_assert_int_eq(device_info(second.device), 0);
	driver_close(&second);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
}
END_TEST

/* ---- other processes ---- */

static int lender;

static void stop_lending(void)
{
	/* Nobody waits with the lock held. */
	lock_leave(lock_enter());
	sys_close(lender);
	lender = -1;
	fake.sleeps = NULL;
}

static void try_to_lend(void)
{
	lender = cdev_open(0);
	ck_assert_int_eq(cdev_lock(lender, 0, CDEV_LOCK_LENDING, CDEV_EXCLUSIVE), -EAGAIN);
	fake.binds = NULL;
}

START_TEST(waits_for_a_lending)
{
	enter(WITH_IOMMU);
	lender = cdev_open(0);
	ck_assert_int_eq(cdev_lock(lender, 0, CDEV_LOCK_LENDING, CDEV_EXCLUSIVE), 0);
	fake.sleeps = stop_lending;
	fake.binds = try_to_lend;
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
	ck_assert_ptr_null(fake.sleeps);
	/* Afterwards the lock is to be had. */
	ck_assert_int_eq(cdev_lock(lender, 0, CDEV_LOCK_LENDING, CDEV_EXCLUSIVE), 0);
	stop_lending();
}
END_TEST

/* Process 4711 has the device open in an open file that is this one's, too. */
static void pass_on(void)
{
	fake_add("/proc", NULL);
	fake_add("/proc/4711", NULL);
	fake_add("/proc/4711/fd", NULL);
	fake_add("/proc/4711/fd/3", "../../../dev/vfio/devices/noiommu-vfio0");
	ck_assert_int_eq(cdev_lock(group, 0, CDEV_LOCK_PASSED, CDEV_SHARED), 0);
}

START_TEST(device_open_elsewhere)
{
	enter(WITH_IOMMU);
	pass_on();
	ck_assert_int_eq(unset_container(), 0);
	enter(WITH_IOMMU);
	fake.pid = 4711;
	cdev_set_user(group, 0, true);
	fake.pid = 0;
	ck_assert_int_eq(unset_container(), -EBUSY);
	/* It ended, or went through exec(). */
	fake_remove("/proc/4711/fd/3");
	ck_assert_int_eq(unset_container(), 0);
}
END_TEST

/* What another process keeps open cannot be bound anew. */
START_TEST(device_closed_while_passed_on)
{
	unsigned int opens;
	int other;

	enter(WITH_DEVICE);
	other = (int)sys_fcntl(group, F_DUPFD, 0);
	opens = fake.device_opens;
	pass_on();
	program_close(device);
	ck_assert_int_eq(unset_container(), 0);
	enter(WITH_DEVICE);
	ck_assert_uint_eq(fake.device_opens, opens);
	sys_close(other);
	fake_remove("/proc/4711/fd/3");
	program_close(device);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
	ck_assert_uint_eq(fake.device_opens, opens + 1);
}
END_TEST

static char parents_name[32]; /* that its device has in /proc */

/* fork() while the device is open: process 4711 is the parent. Returns its device. */
static int enter_as_child(void)
{
	struct lock_saved saved;
	int theirs;

	fake.pid = 4711;
	enter(WITH_DEVICE);
	theirs = (int)sys_fcntl(device, F_DUPFD, 0);
	snprintf(parents_name, sizeof(parents_name), "/proc/4711/fd/%d", theirs);
	fake_add("/proc", NULL);
	fake_add("/proc/4711", NULL);
	fake_add("/proc/4711/fd", NULL);
	fake_add(parents_name, "../../../dev/vfio/devices/noiommu-vfio0");
	fake.pid = 0;
	saved = lock_enter();
	group_before_fork();
	group_after_fork_in_child();
	lock_leave(saved);
	return theirs;
}

/* The group that a child keeps does not keep the device open when its parent ends. */
START_TEST(device_closed_in_a_child)
{
	int theirs = enter_as_child();
	unsigned int opens = fake.device_opens;

	program_close(device);
	device = -1;
	ck_assert_uint_eq(fake_open_cdevs(0), 1);
	ck_assert_int_eq(program_status(group),
			 VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET);
	ck_assert_int_eq(unset_container(), -EBUSY);
	sys_close(theirs);
	fake_remove(parents_name);
	ck_assert_uint_eq(fake_open_cdevs(0), 0);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
	ck_assert_uint_eq(fake.device_opens, opens + 1);
	program_close(device);
	device = -1;
	ck_assert_int_eq(unset_container(), 0);
}
END_TEST

/* Who received the device has nothing of what stands for its group otherwise. */
START_TEST(device_closed_while_received)
{
	enter(WITH_DEVICE);
	pass_on();
	fake.pid = 4711;
	cdev_set_user(group, 0, true);
	fake.pid = 0;
	program_close(device);
	device = -1;
	ck_assert_uint_eq(fake_open_cdevs(0), 0);
	ck_assert_int_eq(unset_container(), -EBUSY);
	fake_remove("/proc/4711/fd/3");
	ck_assert_int_eq(unset_container(), 0);
}
END_TEST

/*
 * Process 4711 may have the device, and there is no descriptor for a look: it is neither
 * reset nor kept open. With _i nobody else has it, and closing it is all that stops it.
 */
START_TEST(device_closed_in_doubt)
{
	int theirs = -1;

	enter(WITH_DEVICE);
	pass_on();
	fake.pid = 4711;
	cdev_set_user(group, 0, true);
	fake.pid = 0;
	if (!_i)
		theirs = (int)sys_fcntl(device, F_DUPFD, 1000);
	fake.descriptor_limit = (size_t)(device > group ? device : group) + 1;
	program_close(device);
	fake.descriptor_limit = 1024;
	device = -1;
	ck_assert_ptr_nonnull(strstr(program_log(), "cannot tell whether another process"));
	ck_assert_uint_eq(fake_open_cdevs(0), !_i);
	ck_assert_int_eq(unset_container(), 0);
	if (theirs >= 0)
		sys_close(theirs);
}
END_TEST

/* It is the parent's open file then, which the kernel gives to whoever may trace the parent. */
START_TEST(device_opened_again_in_a_child)
{
	int theirs = enter_as_child();
	unsigned int opens;
	int lowest = device;

	program_close(device);
	device = -1;
	ck_assert_int_eq(program_get_device(group, DEVICE_0), -EBUSY);
	ck_assert_ptr_nonnull(strstr(program_log(), "CAP_SYS_PTRACE"));
	opens = fake.device_opens;
	fake.may_trace = true;
	for (int i = 0; i < 2; i++) {
		device = (int)program_get_device(group, DEVICE_0);
		ck_assert_int_eq(device, lowest);
		ck_assert_int_eq(device_info(device), 0);
		program_close(device);
		device = -1;
		ck_assert_uint_eq(fake_open_cdevs(0), 1);
	}
	ck_assert_uint_eq(fake.device_opens, opens);
	sys_close(theirs);
}
END_TEST

/* An open cdev would hold the device's registration, for which unbinding waits. */
START_TEST(closed_device_has_no_cdev)
{
	enter(_i);
	ck_assert_uint_eq(fake_open_cdevs(0) > 0, _i >= WITH_DEVICE);
	if (_i < WITH_DEVICE)
		return;
	program_close(device);
	device = -1;
	ck_assert_uint_eq(fake_open_cdevs(0), 0);
}
END_TEST

/* vfio_device_remove_group(): the group that is open stands for nothing any more. */
START_TEST(device_taken_from_its_driver)
{
	static const char name[] = "/sys/class/vfio-dev/noiommu-vfio0";
	static const char target[] = "../../devices/pci0000:00/0000:00:04.0/vfio-dev/noiommu-vfio0";
	bool had_container = _i >= WITH_CONTAINER;
	int again;

	enter(_i);
	if (_i >= WITH_DEVICE)
		program_close(device);
	device = -1;
	fake_remove(name);
	if (_i % 2)
		ck_assert_int_eq(program_get_device(group, DEVICE_0), -ENODEV);
	/* The driver has it back. */
	fake_add(name, target);
	again = program_open_group(0);
	ck_assert_int_ge(again, 0);
	ck_assert_int_eq(program_status(group), -ENODEV);
	ck_assert_int_eq(program_get_device(group, DEVICE_0), -ENODEV);
	ck_assert_int_eq(program_set_container(group, container), -ENODEV);
	ck_assert_int_eq(unset_container(), -EINVAL);
	ck_assert_int_eq(program_status(again), VFIO_GROUP_FLAGS_VIABLE);
	if (had_container)
		ck_assert_int_eq(program_ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU),
				 -EINVAL);
	program_close(again);
}
END_TEST

/* Whatever the process has given up: its descriptor was all that it needed. */
START_TEST(device_closed_without_rights)
{
	struct other other;

	enter(WITH_DEVICE);
	fake.rawio = false;
	fake_fail(SYS_openat, 0, 1, EACCES);
	program_close(device);
	device = -1;
	fake_failed();
	fake.rawio = true;
	ck_assert_uint_eq(fake_open_cdevs(0), 0);
	program_close(group);
	group = -1;
	other = other_open(0);
	other_close(&other);
}
END_TEST

/* It would reset the device. */
START_TEST(fork_opens_no_device)
{
	unsigned int opens = fake.device_opens;
	struct lock_saved saved;

	enter(WITH_IOMMU);
	saved = lock_enter();
	group_before_fork();
	ck_assert_uint_eq(fake.device_opens, opens);
	ck_assert_uint_eq(fake_open_cdevs(0), 0);
	group_after_fork_in_child();
	lock_leave(saved);
	ck_assert_int_eq(unset_container(), 0);
}
END_TEST

/* It is open, whatever the kernel says once no guard keeps its own group from others. */
START_TEST(direct_after_a_fork)
{
	struct lock_saved saved = lock_enter();
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%u", FAKE_FIRST_GROUP);
	group_before_fork();
	lock_leave(saved);
	ck_assert_int_eq(program_open(path, O_RDWR | O_DIRECT), -EBUSY);
}
END_TEST

START_TEST(flags_of_each_open)
{
	int second;

	enter(WITH_DEVICE);
	second = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_eq(fd_set_file_flags(second, O_NONBLOCK), 0);
	ck_assert_int_eq(fd_file_flags(device, 0), O_RDWR);
	program_close(device);
	device = second;
	ck_assert_int_eq(fd_file_flags(device, 0), O_RDWR | O_NONBLOCK);
}
END_TEST

/* A group stands for one open file, whatever file of the kernel is behind it by now. */
START_TEST(flags_of_the_group)
{
	enter(WITH_IOMMU);
	sys_fcntl(group, F_SETFL, O_NONBLOCK);
	device = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(device, 0);
	ck_assert(sys_fcntl(group, F_GETFL, 0) & O_NONBLOCK);
	sys_fcntl(group, F_SETFL, O_APPEND);
	program_close(device);
	device = -1;
	ck_assert(sys_fcntl(group, F_GETFL, 0) & O_APPEND);
	ck_assert_int_eq(sys_fcntl(group, F_GETFL, 0) & O_NONBLOCK, 0);
}
END_TEST

/* The child of a vfork() closes its own descriptors, in its parent's memory. */
START_TEST(vfork_child)
{
	int ret;

	enter(WITH_DEVICE);
	fake.pid = 4711;
	ck_assert(!fd_close(device, &ret));
	fd_duplicated(0, group);
	fd_replaced(container);
	fake.pid = 0;
	ck_assert_int_eq(fdtab_kind(device), FD_DEVICE);
	ck_assert_int_eq(fdtab_kind(group), FD_GROUP);
	ck_assert_int_eq(fdtab_kind(container), FD_CONTAINER);
	ck_assert_int_eq(unset_container(), -EBUSY);
}
END_TEST

static bool all_is_as_in(int state)
{
	long flags = state >= WITH_CONTAINER ? VFIO_GROUP_FLAGS_CONTAINER_SET : 0;
	int other;

	/* Whatever was copied in the middle of a change, numbers that follow go to their kind. */
	if (program_ioctl(container, VFIO_GET_API_VERSION, 0) != VFIO_API_VERSION ||
	    program_status(group) != (VFIO_GROUP_FLAGS_VIABLE | flags) ||
	    (device >= 0 && device_info(device)))
		return false;
	other = program_open("/dev/vfio/vfio", O_RDWR);
	if (fdtab_kind(other) != FD_CONTAINER || fdtab_kind(container) != FD_CONTAINER ||
	    fdtab_kind(group) != FD_GROUP || (device >= 0 && fdtab_kind(device) != FD_DEVICE))
		return false;
	program_close(other);
	return program_get_device(group, DEVICE_0) == (state >= WITH_IOMMU ? other : -EINVAL);
}

/* It runs no handlers, and another thread is inside: what it has is found out anew. */
START_TEST(child_of_clone)
{
	struct lock_saved saved;
	pid_t child;
	int end;

	enter(_i);
	saved = lock_enter();
	fork_init();
	child = (pid_t)sys_call_kernel(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (!child)
		_exit(!all_is_as_in(_i));
	lock_leave(saved);
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(waitpid(child, &end, 0), child);
	ck_assert_int_eq(end, 0);
	lock_in_new_process = NULL;
}
END_TEST

/* As its child sees it: what is inherited goes with the last of the program's own. */
START_TEST(child_that_closes_all)
{
	const int order[3] = {_i % 3, (_i + 1 + _i / 3) % 3, (_i + 2 - _i / 3) % 3};
	struct lock_saved saved;

	enter(WITH_DEVICE);
	saved = lock_enter();
	ioas_in_child();
	inherited_settle();
	lock_leave(saved);
	for (int i = 0; i < 3; i++) {
		int *fd = (int *[]){&container, &group, &device}[order[i]];

		ck_assert(ioas_is_inherited());
		program_close(*fd);
		*fd = -1;
	}
	ck_assert(!ioas_is_inherited());
	/* It begins with one of its own. */
	container = program_open("/dev/vfio/vfio", O_RDWR);
	ck_assert_int_ge(container, 0);
	ck_assert(!ioas_is_inherited());
}
END_TEST

static TCase *matrix(const char *name, void (*before)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, before, teardown);
	tcase_add_loop_test(tc, status, 0, STATES);
	tcase_add_loop_test(tc, status_bad_argument, 0, STATES);
	tcase_add_loop_test(tc, set_container, 0, STATES);
	tcase_add_loop_test(tc, set_container_bad_argument, 0, STATES);
	tcase_add_loop_test(tc, set_container_hidden, 0, STATES);
	tcase_add_test(tc, set_container_without_rights);
	tcase_add_test(tc, set_container_number_reused);
	tcase_add_test(tc, raw_close_of_the_librarys_descriptor);
	tcase_add_loop_test(tc, unset, 0, STATES);
	tcase_add_test(tc, unset_and_again);
	tcase_add_loop_test(tc, get_device, 0, STATES);
	tcase_add_test(tc, get_device_bad_name);
	tcase_add_test(tc, get_device_with_spaces);
	tcase_add_loop_test(tc, get_device_bad_pointer, 0, STATES);
	tcase_add_test(tc, get_device_without_rights);
	tcase_add_test(tc, token);
	tcase_add_loop_test(tc, other_ioctls, 0, STATES);
	tcase_add_loop_test(tc, open_is_exclusive, 0, STATES);
	tcase_add_test(tc, open_held_by_another_process);
	tcase_add_test(tc, open_without_rights);
	tcase_add_test(tc, open_of_no_group);
	tcase_add_loop_test(tc, closed_in_any_order, 0, 6);
	tcase_add_test(tc, device_closed_and_opened_again);
	tcase_add_test(tc, group_duplicated);
	tcase_add_test(tc, mapped_bar_keeps_the_device);
	tcase_add_test(tc, mapped_bar_keeps_the_group);
	tcase_add_test(tc, two_devices);
	tcase_add_test(tc, waits_for_a_lending);
	tcase_add_test(tc, device_open_elsewhere);
	tcase_add_test(tc, device_closed_in_a_child);
	tcase_add_test(tc, device_closed_while_received);
	tcase_add_test(tc, device_opened_again_in_a_child);
	tcase_add_test(tc, device_closed_while_passed_on);
	tcase_add_loop_test(tc, device_closed_in_doubt, 0, 2);
	tcase_add_loop_test(tc, closed_device_has_no_cdev, 0, STATES);
	tcase_add_test(tc, device_closed_without_rights);
	tcase_add_test(tc, fork_opens_no_device);
	tcase_add_test(tc, flags_of_each_open);
	tcase_add_test(tc, flags_of_the_group);
	tcase_add_test(tc, vfork_child);
	tcase_add_loop_test(tc, child_of_clone, 0, STATES);
	tcase_add_loop_test(tc, child_that_closes_all, 0, 6);
	return tc;
}

/* ---- by its entry in /proc ---- */

static int open_entry(const char *dir, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%d", dir, fd);
	return program_open(path, O_RDWR);
}

static ssize_t read_entry(const char *dir, int fd, char *to, size_t size)
{
	static const char node[32] = "/dev/some/node";
	char path[64];
	const char *user;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/%d", dir, fd);
	user = fake_user(node, sizeof(node));
	len = name_link_was_read(AT_FDCWD, path, (char *)user, sizeof(node), 14);
	ck_assert_int_gt(len, 0);
	ck_assert_uint_lt((size_t)len, size);
	memcpy(to, user, (size_t)len);
	to[len] = '\0';
	return len;
}

/* In any mount of /proc this process's entries are its own, and nobody else's are. */
START_TEST(entries_of_descriptors)
{
	static const char *const own[] = {"/proc/self/fd", "/other/4711/fd"};
	static const char *const others[] = {"/proc/1/fd", "/tmp"};
	char path[64], text[64];
	int fd;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(open_entry(own[i], group), -EBUSY);
		read_entry(own[i], group, text, sizeof(text));
		ck_assert_ptr_nonnull(strstr(text, "/dev/vfio/noiommu-"));
		snprintf(path, sizeof(path), "%s/%d", others[i], group);
		fake_add_file(path);
		fd = open_entry(others[i], group);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fdtab_kind(fd), FD_NOT_OURS);
		program_close(fd);
		read_entry(others[i], group, text, sizeof(text));
		ck_assert_str_eq(text, "/dev/some/node");
	}
	/* Who may not open a group is not told that it is open. */
	fake.rawio = false;
	ck_assert_int_eq(open_entry(own[0], group), -EPERM);
	fake.rawio = true;
	/* Without a descriptor that it could be told by. */
	fake_fail(SYS_memfd_create, 0, 1, EMFILE);
	ck_assert_int_eq(open_entry(own[1], group), -EMFILE);
	ck_assert(fake_failed());
}
END_TEST

/* Of each process that uses a device there is a lock. */
START_TEST(more_users_than_a_page_of_fdinfo_tells)
{
	struct lock_saved saved = lock_enter();
	unsigned int before = cdev_locks_of(group, 0);

	ck_assert_uint_ne(before, 0);
	for (off_t i = 0; i < 300; i++) {
		struct flock user = {.l_type = F_RDLCK,
				     .l_start = CDEV_LOCKS + (1 << 24) + 0x2000 + i,
				     .l_len = 1};

		ck_assert_int_eq(sys_fcntl(group, F_OFD_SETLK, (long)&user), 0);
	}
	ck_assert_uint_eq(cdev_locks_of(group, 0), before);
	lock_leave(saved);
}
END_TEST

/* What libc holds is not closed under it, and keeps its number. */
START_TEST(opened_by_a_stream)
{
	int fd = sys_open("/proc/self/pagemap", O_RDONLY);

	fake_fail(SYS_fstat, 0, 2, ENOMEM);
	ck_assert_int_eq(open_held("/proc/self/pagemap", fd, 0), -ENOMEM);
	ck_assert(fake_failed());
	ck_assert_int_eq(sys_fcntl(fd, F_GETFD, 0), 0);
	ck_assert_int_eq(open_held("/proc/self/pagemap", fd, 0), 0);
	ck_assert_int_eq(fdtab_kind(fd), FD_PAGEMAP);
	program_close(fd);
}
END_TEST

START_TEST(container_opened_by_a_stream)
{
	int fd = sys_open("/dev/vfio/vfio", O_RDWR);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(open_held("/dev/vfio/vfio", fd, 0), 0);
	ck_assert_int_eq(fdtab_kind(fd), FD_CONTAINER);
	ck_assert_int_eq(program_ioctl(fd, VFIO_GET_API_VERSION, 0), 0);
	program_close(fd);
	fd = sys_open("/dev/vfio/vfio", O_RDWR);
	fake_fail(SYS_dup3, 0, 1, EMFILE);
	ck_assert_int_eq(open_held("/dev/vfio/vfio", fd, 0), -EMFILE);
	ck_assert(fake_failed());
	ck_assert_int_eq(sys_close(fd), 0);
}
END_TEST

Suite *suite_group(void)
{
	Suite *suite = suite_create("group");
	TCase *without = matrix("without groups", setup);
	TCase *with = matrix("with groups", setup_with_groups);

	tcase_add_test(without, device_in_use_by_another);
	tcase_add_loop_test(without, device_taken_from_its_driver, 0, STATES);
	tcase_add_test(without, number_beside_real_groups);
	tcase_add_test(without, flags_of_open);
	tcase_add_test(without, entries_of_descriptors);
	tcase_add_test(without, more_users_than_a_page_of_fdinfo_tells);
	tcase_add_test(without, opened_by_a_stream);
	tcase_add_test(with, container_opened_by_a_stream);
	tcase_add_test(with, guarded);
	tcase_add_test(with, guarded_by_a_child);
	tcase_add_test(with, direct_after_a_fork);
	suite_add_tcase(suite, without);
	suite_add_tcase(suite, with);
	return suite;
}
