/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/user.h"
#include "fake.h"
#include "program.h"
#include "suites.h"
#include "uapi/vfio.h"

START_TEST(copies)
{
	char in[300], out[300];
	char *user;

	memset(in, 'x', sizeof(in));
	user = fake_user(in, sizeof(in));
	ck_assert_int_eq(user_read(out, user, sizeof(out)), 0);
	ck_assert_mem_eq(out, in, sizeof(in));
	memset(in, 'y', sizeof(in));
	ck_assert_int_eq(user_write(user, in, sizeof(in)), 0);
	ck_assert_mem_eq(user, in, sizeof(in));
}
END_TEST

START_TEST(bad_is_efault)
{
	char c = 0;
	char *end = (char *)fake_user(&c, 1) + 1;

	ck_assert_int_eq(user_read(&c, end, 1), -EFAULT);
	ck_assert_int_eq(user_write(end, &c, 1), -EFAULT);
	ck_assert_int_eq(user_read(&c, NULL, 1), -EFAULT);
	ck_assert_int_eq(user_write(NULL, &c, 1), -EFAULT);
}
END_TEST

/* The kernel copies the part that it can, and says so. */
START_TEST(straddling_is_efault)
{
	char buf[16] = "";
	char *user = fake_user(buf, 8);

	ck_assert_int_eq(user_read(buf, user, 9), -EFAULT);
	ck_assert_int_eq(user_write(user, buf, 16), -EFAULT);
	ck_assert_int_eq(user_read(buf, user, 8), 0);
}
END_TEST

START_TEST(string_before_the_end_of_memory)
{
	char to[64];

	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user("0000:00:04.0", 13)), 12);
	ck_assert_str_eq(to, "0000:00:04.0");
	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user("", 1)), 0);
	ck_assert_str_eq(to, "");
}
END_TEST

START_TEST(string_without_end)
{
	char text[64], to[64];

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user(text, 63)), -EFAULT);
	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user(text, 64)), -EINVAL);
	ck_assert_int_eq(user_read_string(to, sizeof(to), NULL), -EFAULT);
	text[63] = '\0';
	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user(text, 64)), 63);
	ck_assert_int_eq(user_read_string(to, 63, fake_user(text, 64)), -EINVAL);
}
END_TEST

START_TEST(string_over_a_page_border)
{
	char text[FAKE_4K + 100], to[FAKE_4K + 200];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user(text, sizeof(text))),
			 sizeof(text) - 1);
	ck_assert_mem_eq(to, text, sizeof(text));
	ck_assert_int_eq(user_read_string(to, FAKE_4K, fake_user(text, sizeof(text))), -EINVAL);
}
END_TEST

/* What only can be read stays as it is, and what is refused is not copied either. */
START_TEST(not_to_be_written)
{
	static const char text[] = "noiommu";
	char c = 'x';

	ck_assert_int_eq(user_write((void *)text, &c, 1), -EFAULT);
	ck_assert_str_eq(text, "noiommu");
	ck_assert_int_eq(user_read(&c, text, 1), 0);
	ck_assert_int_eq(c, 'n');
}
END_TEST

START_TEST(no_addresses)
{
	const uintptr_t bad[] = {
		1, 4095, UINTPTR_MAX, UINTPTR_MAX - 2, UINTPTR_MAX / 2, UINTPTR_MAX / 2 + 1};
	char buf[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(user_read(buf, (const void *)bad[i], 2), -EFAULT);
		ck_assert_int_eq(user_write((void *)bad[i], buf, 2), -EFAULT);
		ck_assert_int_eq(user_read_string(buf, sizeof(buf), (const char *)bad[i]), -EFAULT);
	}
	ck_assert_int_eq(user_read(buf, NULL, 0), 0);
}
END_TEST

/* Whoever waits for a futex there goes on waiting, and the word stays what it is. */
START_TEST(asking_changes_nothing)
{
	char bytes[8], same[8];
	char *at;

	memset(bytes, 0x5a, sizeof(bytes));
	at = fake_user(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		ck_assert_int_eq(user_read(same, at + i, 1), 0);
		ck_assert_int_eq(user_write(at + i, bytes + i, 1), 0);
	}
	ck_assert_mem_eq(at, bytes, sizeof(bytes));
}
END_TEST

/* The calls that a copy takes are among those that any program makes. */
static sys_call_fn *kernel;

static long allow_few(long nr, long a, long b, long c, long d, long e, long f)
{
	ck_assert_int_eq(nr, SYS_futex);
	return kernel(nr, a, b, c, d, e, f);
}

START_TEST(takes_no_call_that_is_killed_for)
{
	char buf[64] = "0000:00:04.0";
	char *at = fake_user(buf, sizeof(buf));

	kernel = sys_call;
	sys_call = allow_few;
	ck_assert_int_eq(user_read(buf, at, sizeof(buf)), 0);
	ck_assert_int_eq(user_write(at, buf, sizeof(buf)), 0);
	ck_assert_int_eq(user_read_string(buf, sizeof(buf), at), 12);
	sys_call = kernel;
}
END_TEST

/* The pointers are good: what refuses is said. */
START_TEST(refused)
{
	struct driver driver = driver_open(0);
	uint32_t status[2] = {sizeof(status)};
	char c = 0;
	const char *at = fake_user(&c, 1);

	fake.futex_error = EPERM;
	ck_assert_int_eq(user_read(&c, at, 1), -EPERM);
	ck_assert_int_eq(program_ioctl(driver.group, VFIO_GROUP_GET_STATUS,
				       (unsigned long)fake_user(status, sizeof(status))),
			 -EPERM);
	fake.futex_error = 0;
	driver_close(&driver);
}
END_TEST

Suite *suite_user(void)
{
	Suite *suite = suite_create("user");
	TCase *tc = tcase_create("user");

	tcase_add_checked_fixture(tc, program_setup, program_teardown);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, bad_is_efault);
	tcase_add_test(tc, straddling_is_efault);
	tcase_add_test(tc, string_before_the_end_of_memory);
	tcase_add_test(tc, string_without_end);
	tcase_add_test(tc, string_over_a_page_border);
	tcase_add_test(tc, not_to_be_written);
	tcase_add_test(tc, no_addresses);
	tcase_add_test(tc, asking_changes_nothing);
	tcase_add_test(tc, takes_no_call_that_is_killed_for);
	tcase_add_test(tc, refused);
	suite_add_tcase(suite, tc);
	return suite;
}
