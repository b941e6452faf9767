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
	char text[PAGE_LEAST + 100], to[PAGE_LEAST + 200];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user(text, sizeof(text))),
			 sizeof(text) - 1);
	ck_assert_mem_eq(to, text, sizeof(text));
	ck_assert_int_eq(user_read_string(to, PAGE_LEAST, fake_user(text, sizeof(text))), -EINVAL);
}
END_TEST

/* The last: a seccomp filter that returns with the errno 0. */
static const int refusals[] = {EPERM, ENOSYS, EACCES, FAKE_NO_ERROR};

/* A container engine's seccomp profile, a kernel without CONFIG_CROSS_MEMORY_ATTACH. */
START_TEST(process_vm_refused)
{
	char in[3 * PAGE_LEAST / 2], out[sizeof(in)], to[64];
	char *at;

	fake.process_vm_error = refusals[_i];
	memset(in, 'x', sizeof(in));
	at = fake_user(in, sizeof(in));
	ck_assert_int_eq(user_read(out, at, sizeof(out)), 0);
	ck_assert_mem_eq(out, in, sizeof(in));
	memset(in, 'y', sizeof(in));
	ck_assert_int_eq(user_write(at, in, sizeof(in)), 0);
	ck_assert_mem_eq(at, in, sizeof(in));
	ck_assert_int_eq(user_read(out, at + 1, sizeof(in)), -EFAULT);
	ck_assert_int_eq(user_write(at + 1, out, sizeof(in)), -EFAULT);
	ck_assert_int_eq(user_read(out, NULL, 1), -EFAULT);
	ck_assert_int_eq(user_write(NULL, out, 1), -EFAULT);
	ck_assert_int_eq(user_read_string(to, sizeof(to), fake_user("0000:00:04.0", 13)), 12);
	ck_assert_str_eq(to, "0000:00:04.0");
}
END_TEST

START_TEST(process_vm_refused_and_no_descriptor)
{
	char c = 0;
	const char *at = fake_user(&c, 1);

	fake.process_vm_error = EPERM;
	fake.descriptor_limit = 4 - _i;
	ck_assert_int_eq(user_read(&c, at, 1), -EMFILE);
	fake.descriptor_limit = 5;
	ck_assert_int_eq(user_read(&c, at, 1), 0);
}
END_TEST

static const int pipe_refusals[] = {EPERM, ENOSYS, FAKE_NO_ERROR};

/* The pointers are good: what refuses is said. */
START_TEST(process_vm_refused_and_pipe)
{
	int error = pipe_refusals[_i] == FAKE_NO_ERROR ? EPERM : pipe_refusals[_i];
	struct driver driver = driver_open(0);
	uint32_t status[2] = {sizeof(status)};
	char c = 0;
	const char *at = fake_user(&c, 1);

	fake.process_vm_error = EPERM;
	fake.pipe_error = pipe_refusals[_i];
	ck_assert_int_eq(user_read(&c, at, 1), -error);
	ck_assert_int_eq(program_ioctl(driver.group, VFIO_GROUP_GET_STATUS,
				       (unsigned long)fake_user(status, sizeof(status))),
			 -error);
	fake.process_vm_error = fake.pipe_error = 0;
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
	tcase_add_loop_test(tc, process_vm_refused, 0, 4);
	tcase_add_loop_test(tc, process_vm_refused_and_no_descriptor, 0, 2);
	tcase_add_loop_test(tc, process_vm_refused_and_pipe, 0, 3);
	suite_add_tcase(suite, tc);
	return suite;
}
