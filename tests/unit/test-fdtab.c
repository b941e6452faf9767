/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/fdtab.h"
#include "fake.h"
#include "program.h"
#include "suites.h"

static unsigned int released;

static void count_release(struct object *object)
{
	(void)object;
	released++;
}

static const struct object_operations counted = {.kind = FD_GROUP, .release = count_release};

static void setup(void)
{
	program_setup_locked();
	released = 0;
}

/* An object for the file that is opened by path, entered under its descriptor. */
static int enter(struct object *object, const char *path)
{
	int fd = sys_open(path, O_RDWR);

	*object = (struct object){.ops = &counted};
	ck_assert_int_eq(object_identify(object, fd), 0);
	ck_assert_int_eq(fdtab_install(fd, object), 0);
	return fd;
}

static void close_entered(int fd)
{
	fdtab_drop(fd);
	sys_close(fd);
}

START_TEST(entered_is_found)
{
	struct object object;
	int fd = enter(&object, "/dev/iommu");

	ck_assert_int_eq(fdtab_kind(fd), FD_GROUP);
	ck_assert_ptr_eq(fdtab_get(fd), &object);
	ck_assert_ptr_null(fdtab_get(fd + 64));
	ck_assert(fdtab_has(&object));
	close_entered(fd);
	ck_assert_int_eq(fdtab_kind(fd), FD_NOT_OURS);
	ck_assert_ptr_null(fdtab_get(fd));
	ck_assert(!fdtab_has(&object));
	ck_assert_uint_eq(released, 1);
}
END_TEST

START_TEST(number_reused_behind_our_back_is_dropped)
{
	struct object object;
	int fd = enter(&object, "/dev/iommu");

	sys_close(fd);
	ck_assert_int_eq(sys_open("/proc/self/maps", O_RDONLY), fd);
	ck_assert_ptr_null(fdtab_get(fd));
	ck_assert_int_eq(fdtab_kind(fd), FD_NOT_OURS);
	ck_assert_uint_eq(released, 1);
	sys_close(fd);
}
END_TEST

START_TEST(closed_behind_our_back_is_dropped)
{
	struct object object;
	int fd = enter(&object, "/dev/iommu");

	sys_close(fd);
	ck_assert_ptr_null(fdtab_get(fd));
	ck_assert_uint_eq(released, 1);
}
END_TEST

static void count_fd(int fd, void *arg)
{
	(void)fd;
	++*(unsigned int *)arg;
}

START_TEST(last_descriptor_releases)
{
	struct object object;
	int fd = enter(&object, "/dev/iommu");
	unsigned int n = 0;

	/* In one bucket, as the table has 64 of them. */
	for (int i = 1; i < 5; i++) {
		sys_dup3(fd, fd + 64 * i, 0);
		ck_assert_int_eq(fdtab_install(fd + 64 * i, &object), 0);
	}
	fdtab_each(&object, count_fd, &n);
	ck_assert_uint_eq(n, 5);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(released, 0);
		close_entered(fd + 64 * i);
	}
	ck_assert_uint_eq(released, 1);
}
END_TEST

START_TEST(entering_replaces)
{
	struct object first, second;
	int fd = enter(&first, "/dev/iommu");

	object_hold(&first);
	second = first;
	second.refs = 0;
	ck_assert_int_eq(fdtab_install(fd, &second), 0);
	ck_assert_ptr_eq(fdtab_get(fd), &second);
	ck_assert_uint_eq(first.refs, 1);
	/* Once more the same: the one reference that it has must not be its last. */
	ck_assert_int_eq(fdtab_install(fd, &second), 0);
	ck_assert_uint_eq(released, 0);
	ck_assert_uint_eq(second.refs, 1);
	close_entered(fd);
	object_release(&first);
	ck_assert_uint_eq(released, 2);
}
END_TEST

START_TEST(of_a_range_what_is_open_stays)
{
	struct object a, b, c;
	int fd_a = enter(&a, "/dev/iommu");
	int fd_b = enter(&b, "/proc/self/maps");
	int fd_c = enter(&c, "/proc/self/pagemap");

	sys_close(fd_a);
	sys_close(fd_c);
	fdtab_drop_stale((unsigned int)fd_a + 1, ~0U);
	ck_assert_int_eq(fdtab_kind(fd_a), FD_GROUP);
	ck_assert_ptr_eq(fdtab_get(fd_b), &b);
	ck_assert_int_eq(fdtab_kind(fd_c), FD_NOT_OURS);
	ck_assert_uint_eq(released, 1);
	fdtab_drop_stale(0, ~0U);
	ck_assert_uint_eq(released, 2);
	close_entered(fd_b);
}
END_TEST

/* A number above the array: any kind of ours makes all of them worth a look. */
START_TEST(high_numbers)
{
	const int high = FDTAB_LOW + 100;
	struct object object;
	int fd;

	fake.descriptor_limit = FAKE_DESCRIPTORS;
	fd = enter(&object, "/dev/iommu");
	ck_assert_int_eq(fdtab_kind(high), FD_NOT_OURS);
	ck_assert_int_eq(sys_dup3(fd, high, 0), high);
	ck_assert_int_eq(fdtab_install(high, &object), 0);
	ck_assert_int_ne(fdtab_kind(high), FD_NOT_OURS);
	ck_assert_ptr_eq(fdtab_get(high), &object);
	ck_assert_ptr_null(fdtab_get(high + 1));
	close_entered(high);
	ck_assert_int_eq(fdtab_kind(high), FD_NOT_OURS);
	close_entered(fd);
	ck_assert_int_eq(fdtab_kind(-1), FD_NOT_OURS);
	ck_assert_ptr_null(fdtab_get(-1));
}
END_TEST

static int opens_anew(int fd)
{
	ck_assert(fdtab_expect(fd, FD_PAGEMAP));
	return 0;
}

static int is_another(int fd)
{
	(void)fd;
	return 0;
}

/* A number is closed and opened again while what it was is looked at. */
START_TEST(expected_anew_meanwhile)
{
	int (*before)(int fd) = fdtab_prove;
	int fd = sys_open("/dev/iommu", O_RDWR);

	ck_assert(fdtab_expect(fd, FD_PAGEMAP));
	fdtab_prove = opens_anew;
	ck_assert_ptr_null(fdtab_get(fd));
	ck_assert(fdtab_is_expected(fd));
	ck_assert_int_eq(fdtab_kind(fd), FD_PAGEMAP);
	fdtab_prove = is_another;
	ck_assert_ptr_null(fdtab_get(fd));
	ck_assert_int_eq(fdtab_kind(fd), FD_NOT_OURS);
	fdtab_prove = before;
	sys_close(fd);
}
END_TEST

START_TEST(entered_is_not_expected)
{
	struct object object;
	int fd = enter(&object, "/dev/iommu");

	ck_assert(!fdtab_expect(fd, FD_PAGEMAP));
	ck_assert(!fdtab_expect(FDTAB_LOW + fd, FD_PAGEMAP));
	ck_assert_ptr_eq(fdtab_get(fd), &object);
	close_entered(fd);
}
END_TEST

static void arrives(int fd, enum fd_kind kind)
{
	(void)kind;
	ck_abort_msg("descriptor %d has no object", fd);
}

/* A child without a handler of fork() begins in its first lookup, after the open(). */
START_TEST(what_is_expected_outlives_a_fork)
{
	int fd = sys_open("/proc/self/pagemap", O_RDONLY);

	ck_assert(fdtab_expect(fd, FD_PAGEMAP));
	fdtab_rebuild(arrives);
	ck_assert(fdtab_is_expected(fd));
	ck_assert_int_eq(fdtab_kind(fd), FD_PAGEMAP);
	fdtab_drop(fd);
	sys_close(fd);
}
END_TEST

START_TEST(no_memory_gives_the_reference_back)
{
	static struct object objects[512];
	int last = -1, ret = 0;
	int fd = sys_open("/dev/iommu", O_RDWR);

	/* Memory that earlier tests gave back is used up first. */
	fake_fail(SYS_mmap, 0, 1, ENOMEM);
	while (!ret) {
		struct object *object = &objects[++last];

		ck_assert_int_lt(last, 512);
		*object = (struct object){.ops = &counted};
		ret = fdtab_install(1000 + last, object);
	}
	ck_assert(fake_failed());
	ck_assert_int_eq(ret, -ENOMEM);
	ck_assert_uint_eq(released, 1);
	ck_assert_int_eq(fdtab_kind(1000 + last), FD_NOT_OURS);
	fdtab_drop_stale(1000, 1511);
	ck_assert_uint_eq(released, (unsigned int)last + 1);
	sys_close(fd);
}
END_TEST

Suite *suite_fdtab(void)
{
	Suite *suite = suite_create("fdtab");
	TCase *tc = tcase_create("fdtab");

	tcase_add_checked_fixture(tc, setup, program_teardown_locked);
	tcase_add_test(tc, entered_is_found);
	tcase_add_test(tc, number_reused_behind_our_back_is_dropped);
	tcase_add_test(tc, closed_behind_our_back_is_dropped);
	tcase_add_test(tc, last_descriptor_releases);
	tcase_add_test(tc, entering_replaces);
	tcase_add_test(tc, of_a_range_what_is_open_stays);
	tcase_add_test(tc, high_numbers);
	tcase_add_test(tc, expected_anew_meanwhile);
	tcase_add_test(tc, entered_is_not_expected);
	tcase_add_test(tc, what_is_expected_outlives_a_fork);
	tcase_add_test(tc, no_memory_gives_the_reference_back);
	suite_add_tcase(suite, tc);
	return suite;
}
