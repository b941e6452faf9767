/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fake.h"
#include "program.h"
#include "suites.h"

static void setup(void)
{
	program_setup();
	log_limit = LOG_WARN;
}

static void teardown(void)
{
	log_limit = LOG_WARN;
	program_teardown();
}

#define assert_format(expected, ...)                                                               \
	do {                                                                                       \
		char text_[128];                                                                   \
		size_t len_ = format(text_, sizeof(text_), __VA_ARGS__);                           \
		ck_assert_str_eq(text_, expected);                                                 \
		ck_assert_uint_eq(len_, strlen(expected));                                         \
	} while (0)

START_TEST(formats)
{
	assert_format("", "%s", "");
	assert_format("a b", "%s %s", "a", "b");
	assert_format("0 -1 2147483647 -2147483648", "%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
	assert_format("4294967295 ffffffff 0", "%u %x %x", UINT_MAX, UINT_MAX, 0);
	assert_format("18446744073709551615 ffffffffffffffff", "%lu %lx", ULONG_MAX, ULONG_MAX);
	assert_format("-9223372036854775808", "%ld", LONG_MIN);
	assert_format("ENOENT EPERM EOPNOTSUPP", "%e %e %e", -ENOENT, EPERM, -EOPNOTSUPP);
	assert_format("errno 84", "%e", -EILSEQ);
}
END_TEST

START_TEST(too_long_is_cut)
{
	char text[8];

	memset(text, 'x', sizeof(text));
	ck_assert_uint_eq(format(text, 5, "%s%d", "abc", 12345), 4);
	ck_assert_str_eq(text, "abc1");
	ck_assert_mem_eq(text + 5, "xxx", 3);
	ck_assert_uint_eq(format(text, 1, "%s", "abc"), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(line_says_who_and_how_bad)
{
	char expected[64];

	log_warn("page %d of %s", 3, "four");
	snprintf(expected, sizeof(expected), "noiommu-shim[%d]: warning: page 3 of four\n",
		 getpid());
	ck_assert_str_eq(fake.log, expected);
	log_error("no");
	ck_assert_ptr_nonnull(strstr(fake.log, "]: error: no\n"));
}
END_TEST

START_TEST(limit)
{
	log_info("one");
	log_debug("two");
	ck_assert_str_eq(fake.log, "");
	log_limit = LOG_DEBUG;
	log_info("one");
	log_debug("two");
	ck_assert_ptr_nonnull(strstr(fake.log, "info: one\n"));
	ck_assert_ptr_nonnull(strstr(fake.log, "debug: two\n"));
}
END_TEST

/* One line, whatever it is asked to say. */
START_TEST(long_line_is_cut)
{
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fake_fail(SYS_write, 0, 2, EIO);
	log_error("%s", text);
	ck_assert_uint_lt(strlen(fake.log), 1024);
	ck_assert_ptr_eq(strchr(fake.log, '\n'), fake.log + strlen(fake.log) - 1);
	ck_assert(!fake_failed());
}
END_TEST

START_TEST(errno_is_left_alone)
{
	errno = EILSEQ;
	fake_fail(SYS_write, 0, 1, EIO);
	log_error("lost");
	ck_assert(fake_failed());
	ck_assert_int_eq(errno, EILSEQ);
	log_error("told");
	ck_assert_ptr_nonnull(strstr(fake.log, "could not be written: 1\n"));
	ck_assert_ptr_nonnull(strstr(fake.log, "error: told\n"));
}
END_TEST

Suite *suite_log(void)
{
	Suite *suite = suite_create("log");
	TCase *tc = tcase_create("log");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, formats);
	tcase_add_test(tc, too_long_is_cut);
	tcase_add_test(tc, line_says_who_and_how_bad);
	tcase_add_test(tc, limit);
	tcase_add_test(tc, long_line_is_cut);
	tcase_add_test(tc, errno_is_left_alone);
	suite_add_tcase(suite, tc);
	return suite;
}
