/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/fdtab.h"
#include "base/hidden.h"
#include "base/lock.h"
#include "fake.h"
#include "program.h"
#include "suites.h"

static struct hidden hidden = HIDDEN_NONE;

static void take(void)
{
	int fd = sys_open("/dev/iommu", O_RDWR);

	ck_assert_int_eq(hidden_take(&hidden, fd), 0);
	ck_assert_int_ge(hidden.fd, 0);
	ck_assert_int_eq(fdtab_kind(hidden.fd), FD_HIDDEN);
}

START_TEST(moves_up_and_closes_on_exec)
{
	take();
	ck_assert_int_ge(hidden.fd, 256);
	ck_assert_int_eq(sys_fcntl(hidden.fd, F_GETFD, 0), FD_CLOEXEC);
	ck_assert_uint_eq(fake_hidden_descriptors(), 1);
	ck_assert_uint_eq(fake_visible_descriptors(), 0);
	ck_assert(hidden_check(&hidden));
	hidden_close(&hidden);
	ck_assert_int_eq(hidden.fd, -1);
	ck_assert_uint_eq(fake_hidden_descriptors(), 0);
	ck_assert(!hidden_check(&hidden));
	hidden_close(&hidden);
}
END_TEST

/* RLIMIT_NOFILE: none, the usual, below where it would go, more than the table has. */
START_TEST(any_limit)
{
	static const size_t limits[] = {4, 16, 40, 256, 1024, FAKE_DESCRIPTORS, SIZE_MAX};

	fake.descriptor_limit = limits[_i];
	take();
	ck_assert_int_lt(hidden.fd, FDTAB_LOW);
	ck_assert_int_eq(sys_fcntl(hidden.fd, F_GETFD, 0), FD_CLOEXEC);
	ck_assert_uint_eq(fake_visible_descriptors(), 0);
	hidden_close(&hidden);
}
END_TEST

START_TEST(upper_numbers_taken)
{
	int fd = sys_open("/proc/self/maps", O_RDONLY);

	fake.descriptor_limit = 128;
	for (int i = fd + 1; i < 128; i++)
		sys_dup3(fd, i, 0);
	sys_close(60);
	take();
	ck_assert_int_eq(hidden.fd, 60);
	hidden_close(&hidden);
	sys_call(SYS_close_range, 3, 127, 0, 0, 0, 0);
}
END_TEST

START_TEST(closed_by_a_raw_call_is_forgotten)
{
	int fd;

	take();
	fd = hidden.fd;
	sys_close(fd);
	ck_assert_int_ge(sys_dup3(0, fd, 0), 0);
	ck_assert(!hidden_check(&hidden));
	hidden_close(&hidden);
	/* What stands there now is the host's. */
	ck_assert_int_eq(sys_close(fd), 0);
}
END_TEST

START_TEST(makes_way)
{
	int fd;

	take();
	fd = hidden.fd;
	hidden_make_way(fd);
	ck_assert_int_ne(hidden.fd, fd);
	ck_assert(hidden_check(&hidden));
	ck_assert_int_eq(sys_fcntl(hidden.fd, F_GETFD, 0), FD_CLOEXEC);
	/* dup2() closes what it replaces. */
	ck_assert_int_eq(sys_dup3(0, fd, 0), fd);
	hidden_close(&hidden);
	ck_assert_int_eq(sys_close(fd), 0);
	ck_assert_uint_eq(fake_hidden_descriptors(), 0);
}
END_TEST

START_TEST(makes_way_at_the_limit)
{
	int fd;

	fake.descriptor_limit = 16;
	take();
	ck_assert_int_eq(sys_dup3(hidden.fd, 15, O_CLOEXEC), 15);
	hidden_close(&hidden);
	ck_assert_int_eq(hidden_take(&hidden, 15), 0);
	fd = hidden.fd;
	hidden_make_way(fd);
	ck_assert_int_ne(hidden.fd, fd);
	ck_assert(hidden_check(&hidden));
	hidden_close(&hidden);
	sys_close(fd);
}
END_TEST

static bool is_kept(void)
{
	struct lock_saved saved = lock_enter();
	bool kept = hidden_check(&hidden);

	lock_leave(saved);
	return kept;
}

/* The host's calls take the lock themselves. */
START_TEST(host_cannot_reach_it)
{
	int fd, device = sys_open("/dev/iommu", O_RDWR);
	struct lock_saved saved = lock_enter();

	take();
	lock_leave(saved);
	fd = hidden.fd;
	ck_assert_int_eq(program_close(fd), -EBADF);
	ck_assert_int_eq(program_ioctl(fd, 0x3b64, 0), -EBADF);
	ck_assert_int_eq(program_close_range(3, ~0U), 0);
	ck_assert(is_kept());
	ck_assert_uint_eq(fake_visible_descriptors(), 0);
	device = sys_open("/dev/iommu", O_RDWR);
	ck_assert_int_eq(program_dup2(device, fd), fd);
	ck_assert(is_kept());
	ck_assert_int_ne(hidden.fd, fd);
	ck_assert_int_eq(program_close(fd), 0);
	ck_assert_int_eq(program_close(device), 0);
	saved = lock_enter();
	hidden_close(&hidden);
	lock_leave(saved);
}
END_TEST

Suite *suite_hidden(void)
{
	Suite *suite = suite_create("hidden");
	TCase *tc = tcase_create("hidden"), *host = tcase_create("host");

	tcase_add_checked_fixture(tc, program_setup_locked, program_teardown_locked);
	tcase_add_test(tc, moves_up_and_closes_on_exec);
	tcase_add_loop_test(tc, any_limit, 0, 7);
	tcase_add_test(tc, upper_numbers_taken);
	tcase_add_test(tc, closed_by_a_raw_call_is_forgotten);
	tcase_add_test(tc, makes_way);
	tcase_add_test(tc, makes_way_at_the_limit);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(host, program_setup, program_teardown);
	tcase_add_test(host, host_cannot_reach_it);
	suite_add_tcase(suite, host);
	return suite;
}
