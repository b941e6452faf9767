/* SPDX-License-Identifier: MIT */
/* A program that has used up its descriptors, RLIMIT_NOFILE, is served even so. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/hidden.h"
#include "base/limit.h"
#include "base/lock.h"
#include "base/proc.h"
#include "base/sys.h"
#include "fake.h"
#include "pin/pin.h"
#include "program.h"
#include "suites.h"
#include "uapi/vfio.h"

#define BASE  (4 * FAKE_1G)
#define LIMIT 32

static int last; /* the highest number that the program got */

static void fill(void)
{
	int fd;

	fake.descriptor_limit = fake.hard_limit = LIMIT;
	while ((fd = (int)sys_fcntl(0, F_DUPFD, 3)) >= 0)
		last = fd;
	ck_assert_int_eq(fd, -EMFILE);
}

/* No more descriptors are to be had than before, and what is given back is the lowest. */
static void empty(void)
{
	ck_assert_uint_eq(fake.descriptor_limit, LIMIT);
	ck_assert_uint_eq(fake.hard_limit, fake.may_raise ? LIMIT : 2 * LIMIT);
	ck_assert_int_eq(sys_fcntl(0, F_DUPFD, 3), -EMFILE);
	sys_close(last);
	ck_assert_int_eq(sys_fcntl(0, F_DUPFD, 3), last);
	for (int fd = 3; fd < LIMIT; fd++)
		if (fdtab_kind(fd) != FD_HIDDEN)
			program_close(fd);
	fake.descriptor_limit = fake.hard_limit = 1024;
}

/* What allows to raise the limit. */
static void allow(int how)
{
	fake.may_raise = how;
	fake.hard_limit = how ? LIMIT : 2 * LIMIT;
}

static void begin(void)
{
	struct lock_saved saved = lock_enter();

	proc_start();
	lock_leave(saved);
	fake_map(BASE, FAKE_2M, fake_file(FAKE_2M, FAKE_4K), 0, 0);
}

START_TEST(first_lookup)
{
	int pagemap;

	begin();
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	fill();
	allow(_i);
	program_frame(pagemap, BASE);
	ck_assert_uint_eq(fake.device_opens, 1);
	ck_assert_ptr_null(strstr(fake.log, "error"));
	program_unmap(BASE, FAKE_2M);
	program_close(pagemap);
	sys_fcntl(0, F_DUPFD, 3);
	empty();
}
END_TEST

START_TEST(first_open_by_the_last_descriptor)
{
	int pagemap;

	begin();
	fill();
	allow(_i);
	sys_close(last);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_eq(pagemap, last);
	program_frame(pagemap, BASE);
	ck_assert_ptr_null(strstr(fake.log, "error"));
	program_unmap(BASE, FAKE_2M);
	empty();
}
END_TEST

START_TEST(first_lookup_by_io_uring)
{
	int pagemap;

	begin();
	fake.uring_error = 0;
	fake.enabled[0] = fake.enabled[1] = true;
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	fill();
	allow(_i);
	program_frame(pagemap, BASE);
	program_unmap(BASE, FAKE_2M);
	program_close(pagemap);
	sys_fcntl(0, F_DUPFD, 3);
	empty();
}
END_TEST

/* What the program itself gets is bounded as natively. */
START_TEST(a_device_is_the_programs)
{
	int container = program_open("/dev/vfio/vfio", O_RDWR), group = program_open_group(0);

	ck_assert_int_eq(program_set_container(group, container), 0);
	ck_assert_int_eq(program_ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), 0);
	fill();
	allow(_i);
	ck_assert_int_eq(program_get_device(group, DEVICE_0), -EMFILE);
	ck_assert_uint_eq(fake.device_opens, 0);
	sys_close(last);
	ck_assert_int_eq(program_get_device(group, DEVICE_0), last);
	ck_assert_int_eq(program_close(last), 0);
	ck_assert_uint_eq(fake_open_cdevs(0), 0);
	sys_fcntl(0, F_DUPFD, 3);
	empty();
}
END_TEST

START_TEST(where_it_may_not_be_raised)
{
	uint64_t entry;
	int pagemap;

	begin();
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	fill();
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), -EMFILE);
	ck_assert_ptr_nonnull(strstr(fake.log, "no descriptor is left"));
	fake.hard_limit = 2 * LIMIT;
	empty();
}
END_TEST

static struct rlimit set = {LIMIT / 2, LIMIT};

/* Another thread sets it at the moment at which it is raised. */
static long is_set_meanwhile(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == SYS_openat && fake.descriptor_limit > LIMIT)
		fake_sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&set, 0, 0, 0);
	return fake_sys_call(nr, a, b, c, d, e, f);
}

START_TEST(what_the_program_sets_stays)
{
	struct lock_saved saved = lock_enter();

	fill();
	allow(_i);
	sys_call = is_set_meanwhile;
	ck_assert_int_eq(limit_open("/dev/tty", O_RDWR), -EMFILE);
	sys_call = fake_sys_call;
	lock_leave(saved);
	ck_assert_uint_eq(fake.descriptor_limit, LIMIT / 2);
	fake.descriptor_limit = LIMIT;
	fake.hard_limit = fake.may_raise ? LIMIT : 2 * LIMIT;
	empty();
}
END_TEST

/* It has a copy of the limit, and of what says that it is raised. */
START_TEST(child_of_that_moment)
{
	struct lock_saved saved = lock_enter();

	fill();
	allow(_i);
	ck_assert(limit_raise());
	ck_assert(limit_raise());
	ck_assert_uint_gt(fake.descriptor_limit, LIMIT);
	limit_in_child();
	lock_leave(saved);
	empty();
}
END_TEST

START_TEST(hidden_one_makes_way)
{
	static struct hidden hidden = HIDDEN_NONE;
	struct lock_saved saved;
	int fd;

	fake.descriptor_limit = LIMIT;
	saved = lock_enter();
	ck_assert_int_eq(hidden_take(&hidden, sys_open("/dev/tty", O_RDWR)), 0);
	fd = hidden.fd;
	lock_leave(saved);
	fill();
	allow(_i);
	ck_assert_int_eq(program_dup2(0, fd), fd);
	saved = lock_enter();
	ck_assert(hidden_check(&hidden));
	hidden_close(&hidden);
	lock_leave(saved);
	empty();
}
END_TEST

Suite *suite_limit(void)
{
	Suite *suite = suite_create("limit");
	TCase *tc = tcase_create("limit");

	tcase_add_checked_fixture(tc, program_setup, program_teardown);
	tcase_add_loop_test(tc, first_lookup, 0, 2);
	tcase_add_loop_test(tc, first_open_by_the_last_descriptor, 0, 2);
	tcase_add_loop_test(tc, first_lookup_by_io_uring, 0, 2);
	tcase_add_loop_test(tc, a_device_is_the_programs, 0, 2);
	tcase_add_test(tc, where_it_may_not_be_raised);
	tcase_add_loop_test(tc, what_the_program_sets_stays, 0, 2);
	tcase_add_loop_test(tc, child_of_that_moment, 0, 2);
	tcase_add_loop_test(tc, hidden_one_makes_way, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
