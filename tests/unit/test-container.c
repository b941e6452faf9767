/* SPDX-License-Identifier: MIT */
/* drivers/vfio/container.c, state by state. */
#include <errno.h>
#include <string.h>

#include "fake.h"
#include "door/fd.h"
#include "program.h"
#include "suites.h"
#include "uapi/vfio.h"

/* The states of a container with no-IOMMU groups. */
enum state { EMPTY, WITH_GROUP, WITH_IOMMU, STATES };

static int container, group;

static void setup(void)
{
	program_setup();
	container = program_open("/dev/vfio/vfio", O_RDWR);
	group = program_open("/dev/vfio/noiommu-0", O_RDWR);
	ck_assert_int_ge(container, 0);
	ck_assert_int_ge(group, 0);
}

static void teardown(void)
{
	program_close(group);
	program_close(container);
	program_teardown();
}

static long set_iommu(unsigned long type)
{
	return program_ioctl(container, VFIO_SET_IOMMU, type);
}

static long check_extension(unsigned long extension)
{
	return program_ioctl(container, VFIO_CHECK_EXTENSION, extension);
}

static void enter(int state)
{
	if (state >= WITH_GROUP)
		ck_assert_int_eq(program_set_container(group, container), 0);
	if (state >= WITH_IOMMU)
		ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), 0);
}

START_TEST(api_version)
{
	enter(_i);
	ck_assert_int_eq(program_ioctl(container, VFIO_GET_API_VERSION, 0), VFIO_API_VERSION);
}
END_TEST

START_TEST(extensions)
{
	static const unsigned long type1[] = {VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, VFIO_UNMAP_ALL};

	enter(_i);
	ck_assert_int_eq(check_extension(VFIO_NOIOMMU_IOMMU), 1);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(check_extension(type1[i]), _i == EMPTY);
	ck_assert_int_eq(check_extension(VFIO_SPAPR_TCE_IOMMU), 0);
	ck_assert_int_eq(check_extension(0), 0);
	ck_assert_int_eq(check_extension(~0UL), 0);
}
END_TEST

START_TEST(extension_follows_the_parameter)
{
	enter(_i);
	fake.noiommu_enabled = false;
	ck_assert_int_eq(check_extension(VFIO_NOIOMMU_IOMMU), 0);
	fake.noiommu_enabled = true;
	ck_assert_int_eq(check_extension(VFIO_NOIOMMU_IOMMU), 1);
}
END_TEST

START_TEST(set_iommu_by_state)
{
	static const long expected[STATES] = {-EINVAL, 0, -EINVAL};

	enter(_i);
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), expected[_i]);
}
END_TEST

START_TEST(set_iommu_of_another_type)
{
	static const unsigned long types[] = {VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU,
					      VFIO_SPAPR_TCE_IOMMU, 0, ~0UL};

	ck_assert_int_eq(set_iommu(types[_i]), -EINVAL);
	enter(WITH_GROUP);
	ck_assert_int_eq(set_iommu(types[_i]), -ENODEV);
	/* The driver's next try is as good as its first. */
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), 0);
	ck_assert_int_eq(set_iommu(types[_i]), -EINVAL);
}
END_TEST

START_TEST(set_iommu_switched_off)
{
	enter(WITH_GROUP);
	fake.noiommu_enabled = false;
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), -ENODEV);
}
END_TEST

START_TEST(set_iommu_without_rights)
{
	enter(WITH_GROUP);
	fake.rawio = false;
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), -EPERM);
	fake.rawio = true;
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), 0);
}
END_TEST

/* Also those of the other objects, of the type1 driver and of iommufd, which it really is. */
START_TEST(other_ioctls)
{
	static const unsigned int cmds[] = {
		VFIO_IOMMU_MAP_DMA,
		VFIO_IOMMU_UNMAP_DMA,
		VFIO_IOMMU_GET_INFO,
		VFIO_GROUP_GET_STATUS,
		VFIO_GROUP_SET_CONTAINER,
		VFIO_GROUP_GET_DEVICE_FD,
		VFIO_DEVICE_GET_INFO,
		0x3b81 /* IOMMU_IOAS_ALLOC */,
		0x1234,
		0,
	};

	enter(_i);
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		ck_assert_int_eq(program_ioctl(container, cmds[i], 0),
				 _i == WITH_IOMMU ? -ENOTTY : -EINVAL);
}
END_TEST

START_TEST(last_group_takes_the_iommu_along)
{
	enter(WITH_IOMMU);
	ck_assert_int_eq(program_ioctl(group, VFIO_GROUP_UNSET_CONTAINER, 0), 0);
	ck_assert_int_eq(check_extension(VFIO_TYPE1_IOMMU), 1);
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), -EINVAL);
	enter(WITH_IOMMU);
	/* Closing it does the same. */
	program_close(group);
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), -EINVAL);
	ck_assert_int_eq(program_ioctl(container, VFIO_IOMMU_MAP_DMA, 0), -EINVAL);
	group = program_open("/dev/vfio/noiommu-0", O_RDWR);
	enter(WITH_IOMMU);
}
END_TEST

START_TEST(two_groups)
{
	int second = program_open("/dev/vfio/noiommu-1", O_RDWR);

	enter(WITH_IOMMU);
	ck_assert_int_eq(program_set_container(second, container), 0);
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), -EINVAL);
	program_close(group);
	ck_assert_int_eq(program_ioctl(container, VFIO_IOMMU_MAP_DMA, 0), -ENOTTY);
	program_close(second);
	ck_assert_int_eq(program_ioctl(container, VFIO_IOMMU_MAP_DMA, 0), -EINVAL);
	group = program_open("/dev/vfio/noiommu-0", O_RDWR);
}
END_TEST

START_TEST(two_containers_are_apart)
{
	int second = program_open("/dev/vfio/vfio", O_RDWR);

	enter(WITH_IOMMU);
	ck_assert_int_eq(program_ioctl(second, VFIO_IOMMU_MAP_DMA, 0), -EINVAL);
	ck_assert_int_eq(program_ioctl(second, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU), 1);
	ck_assert_int_eq(program_set_container(group, second), -EINVAL);
	program_close(second);
}
END_TEST

START_TEST(duplicate_is_the_same)
{
	int copy = program_dup(container);

	enter(WITH_IOMMU);
	program_close(container);
	ck_assert_int_eq(program_ioctl(copy, VFIO_IOMMU_MAP_DMA, 0), -ENOTTY);
	container = copy;
}
END_TEST

/* A group keeps it: "must support container/group/device being closed in any order". */
START_TEST(closed_before_its_group)
{
	enter(WITH_IOMMU);
	program_close(container);
	ck_assert_int_eq(program_status(group),
			 VFIO_GROUP_FLAGS_VIABLE | VFIO_GROUP_FLAGS_CONTAINER_SET);
	container = (int)program_get_device(group, DEVICE_0);
	ck_assert_int_ge(container, 0);
}
END_TEST

/* In the process that sent it, and without the right to look at what is mapped in it. */
START_TEST(received)
{
	int copy = (int)sys_fcntl(container, F_DUPFD, 0);

	fake.rawio = false;
	fd_received(copy);
	fake.rawio = true;
	ck_assert_int_eq(fdtab_kind(copy), FD_CONTAINER);
	ck_assert_int_eq(fd_set_file_flags(copy, O_NONBLOCK), 0);
	ck_assert_int_eq(fd_file_flags(container, 0) & O_NONBLOCK, O_NONBLOCK);
	program_close(container);
	container = copy;
	enter(WITH_IOMMU);
}
END_TEST

START_TEST(flags_of_open)
{
	int fd = program_open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(sys_fcntl(fd, F_GETFD, 0), FD_CLOEXEC);
	ck_assert_int_eq(sys_fcntl(container, F_GETFD, 0), 0);
	program_close(fd);
}
END_TEST

/* However many others have been opened and closed since. */
START_TEST(is_itself_for_ever)
{
	enter(WITH_GROUP);
	for (int i = 0; i < 4096; i++) {
		int other = program_open("/dev/vfio/vfio", O_RDWR);

		ck_assert_int_eq(program_ioctl(other, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), -EINVAL);
		ck_assert_int_eq(program_ioctl(other, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU), 1);
		program_close(other);
	}
	ck_assert_int_eq(set_iommu(VFIO_NOIOMMU_IOMMU), 0);
}
END_TEST

/* The nth mapping fails, in a process that has no group yet. */
START_TEST(without_memory)
{
	int own;

	fake_fail(SYS_mmap, 0, (unsigned int)_i + 1, ENOMEM);
	own = program_open("/dev/vfio/vfio", O_RDWR);
	if (own < 0)
		return;
	ck_assert_int_eq(program_ioctl(own, VFIO_CHECK_EXTENSION, VFIO_NOIOMMU_IOMMU), 1);
	ck_assert_int_eq(program_ioctl(own, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU), 1);
	ck_assert_int_eq(program_ioctl(own, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), -EINVAL);
	ck_assert_int_eq(program_ioctl(own, VFIO_IOMMU_MAP_DMA, 0), -EINVAL);
	program_close(own);
}
END_TEST

Suite *suite_container(void)
{
	Suite *suite = suite_create("container");
	TCase *tc = tcase_create("container");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, api_version, 0, STATES);
	tcase_add_loop_test(tc, extensions, 0, STATES);
	tcase_add_loop_test(tc, extension_follows_the_parameter, 0, STATES);
	tcase_add_loop_test(tc, set_iommu_by_state, 0, STATES);
	tcase_add_loop_test(tc, set_iommu_of_another_type, 0, 5);
	tcase_add_test(tc, set_iommu_switched_off);
	tcase_add_test(tc, set_iommu_without_rights);
	tcase_add_loop_test(tc, other_ioctls, 0, STATES);
	tcase_add_test(tc, last_group_takes_the_iommu_along);
	tcase_add_test(tc, two_groups);
	tcase_add_test(tc, two_containers_are_apart);
	tcase_add_test(tc, duplicate_is_the_same);
	tcase_add_test(tc, closed_before_its_group);
	tcase_add_test(tc, received);
	tcase_add_test(tc, flags_of_open);
	tcase_add_test(tc, is_itself_for_ever);
	suite_add_tcase(suite, tc);
	tc = tcase_create("alone");
	tcase_add_checked_fixture(tc, program_setup, program_teardown);
	tcase_add_loop_test(tc, without_memory, 0, 12);
	suite_add_tcase(suite, tc);
	return suite;
}
