/* SPDX-License-Identifier: MIT */
/* AT_SECURE cannot be had in a test: such a process runs another user's file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/settings.h"
#include "fake.h"
#include "program.h"
#include "suites.h"

static void setup(void)
{
	program_setup();
	settings.mode = MODE_AUTO;
	settings.unpinned = UNPINNED_REFUSE;
	log_limit = LOG_WARN;
}

static void teardown(void)
{
	setup();
	program_teardown();
}

static void set(const char *entry)
{
	char *envp[] = {"HOME=/", (char *)entry, "NOIOMMU_SHIM", NULL};
	struct lock_saved saved;

	saved = lock_enter();
	settings_read(envp);
	lock_leave(saved);
}

START_TEST(modes)
{
	set("NOIOMMU_SHIM_MODE=cdev");
	ck_assert_int_eq(settings.mode, MODE_CDEV);
	set("NOIOMMU_SHIM_MODE=group");
	ck_assert_int_eq(settings.mode, MODE_GROUP);
	set("NOIOMMU_SHIM_MODE=auto");
	ck_assert_int_eq(settings.mode, MODE_AUTO);
	ck_assert_str_eq(fake.log, "");
}
END_TEST

START_TEST(unpinned)
{
	set("NOIOMMU_SHIM_UNPINNED=fallback");
	ck_assert_int_eq(settings.unpinned, UNPINNED_FALLBACK);
	set("NOIOMMU_SHIM_UNPINNED=refuse");
	ck_assert_int_eq(settings.unpinned, UNPINNED_REFUSE);
	ck_assert_str_eq(fake.log, "");
}
END_TEST

START_TEST(keepers)
{
	set("NOIOMMU_SHIM_FORK=grandchild");
	ck_assert_int_eq(settings.keeper, KEEPER_GRANDCHILD);
	set("NOIOMMU_SHIM_FORK=child");
	ck_assert_int_eq(settings.keeper, KEEPER_CHILD);
	set("NOIOMMU_SHIM_FORK=parent");
	ck_assert_int_eq(settings.keeper, KEEPER_PARENT);
	ck_assert_str_eq(fake.log, "");
}
END_TEST

START_TEST(log_levels)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	char entry[64];

	for (int i = 0; i < 4; i++) {
		snprintf(entry, sizeof(entry), "NOIOMMU_SHIM_LOG=%s", names[i]);
		set(entry);
		ck_assert_int_eq(log_limit, i);
	}
	ck_assert_str_eq(fake.log, "");
}
END_TEST

static size_t lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

START_TEST(bad_value_is_warned_about)
{
	static const char *const entries[] = {"NOIOMMU_SHIM_MODE=fast",
					      "NOIOMMU_SHIM_MODE=", "NOIOMMU_SHIM_MODE=cdevs",
					      "NOIOMMU_SHIM_UNPINNED=no", "NOIOMMU_SHIM_LOG=3"};

	set(entries[_i]);
	ck_assert_int_eq(settings.mode, MODE_AUTO);
	ck_assert_int_eq(settings.unpinned, UNPINNED_REFUSE);
	ck_assert_int_eq(log_limit, LOG_WARN);
	ck_assert_uint_eq(lines(fake.log), 1);
	ck_assert_ptr_nonnull(strstr(fake.log, "is not one of its values"));
}
END_TEST

START_TEST(unknown_variable_is_warned_about)
{
	static const char *const entries[] = {
		"NOIOMMU_SHIM_MODES=cdev",
		"NOIOMMU_SHIM_=1",
		"NOIOMMU_SHIM_mode=cdev",
		"NOIOMMU_SHIM_A_NAME_THAT_IS_LONGER_THAN_ANY_NAME_THAT_SOMEBODY_WOULD_CHOOSE=1",
	};

	set(entries[_i]);
	ck_assert_int_eq(settings.mode, MODE_AUTO);
	ck_assert_uint_eq(lines(fake.log), 1);
	ck_assert_ptr_nonnull(strstr(fake.log, "is not a variable of noiommu-shim"));
}
END_TEST

START_TEST(others_are_not_ours)
{
	set("NOIOMMU_SHIMS=1");
	set("NOIOMMU_SHIM_MODE");
	set("XNOIOMMU_SHIM_MODE=cdev");
	settings_read(NULL);
	ck_assert_str_eq(fake.log, "");
	ck_assert_int_eq(settings.mode, MODE_AUTO);
}
END_TEST

/* The one that is written to is a real file. */
START_TEST(log_goes_to_a_file)
{
	char path[] = "/tmp/noiommu-shim-test-XXXXXX", entry[64], text[128];
	struct lock_saved saved;
	int fd = mkstemp(path);
	ssize_t len;

	ck_assert_int_ge(fd, 0);
	sys_call = sys_call_kernel;
	snprintf(entry, sizeof(entry), "NOIOMMU_SHIM_LOG_FILE=%s", path);
	set(entry);
	log_error("to the file");
	saved = lock_enter();
	log_start();
	lock_leave(saved);
	len = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(len, 0);
	text[len] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "error: to the file\n"));
	close(fd);
	unlink(path);
}
END_TEST

/* A pipe would keep whoever opens it waiting for a reader. */
START_TEST(log_file_that_is_none)
{
	char path[] = "/tmp/noiommu-shim-test-XXXXXX", fifo[64], link[64];
	struct lock_saved saved = lock_enter();

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	snprintf(link, sizeof(link), "%s/link", path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	ck_assert_int_eq(symlink("/tmp/nowhere", link), 0);
	sys_call = sys_call_kernel;
	ck_assert_int_eq(log_to_file(fifo), -EINVAL);
	ck_assert_int_eq(log_to_file("/dev/zero"), -EINVAL);
	ck_assert_int_eq(log_to_file(link), -ELOOP);
	ck_assert_int_lt(log_to_file(path), 0);
	lock_leave(saved);
	unlink(fifo);
	unlink(link);
	rmdir(path);
}
END_TEST

START_TEST(log_file_that_cannot_be)
{
	set("NOIOMMU_SHIM_LOG_FILE=/nowhere/log");
	ck_assert_ptr_nonnull(strstr(fake.log, "cannot open '/nowhere/log' (ENOENT)"));
	log_error("still told");
	ck_assert_ptr_nonnull(strstr(fake.log, "error: still told\n"));
}
END_TEST

Suite *suite_settings(void)
{
	Suite *suite = suite_create("settings");
	TCase *tc = tcase_create("settings");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, modes);
	tcase_add_test(tc, unpinned);
	tcase_add_test(tc, keepers);
	tcase_add_test(tc, log_levels);
	tcase_add_loop_test(tc, bad_value_is_warned_about, 0, 5);
	tcase_add_loop_test(tc, unknown_variable_is_warned_about, 0, 4);
	tcase_add_test(tc, others_are_not_ours);
	tcase_add_test(tc, log_goes_to_a_file);
	tcase_add_test(tc, log_file_that_is_none);
	tcase_add_test(tc, log_file_that_cannot_be);
	suite_add_tcase(suite, tc);
	return suite;
}
