/* SPDX-License-Identifier: MIT */
/* Which device lends its page table, and that none is harmed by it. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/lock.h"
#include "base/sys.h"
#include "fake.h"
#include "iommufd/idle.h"
#include "iommufd/lend.h"
#include "program.h"
#include "suites.h"

/* Device 1 comes first in the directory. */
#define DIRECTORY_0 "/sys/devices/pci0000:00/" DEVICE_0
#define DIRECTORY_1 "/sys/devices/pci0000:00/" DEVICE_1

static int lend(void)
{
	struct lock_saved saved = lock_enter();
	int ret = lend_page_table();

	lock_leave(saved);
	return ret;
}

static int borrow(void)
{
	int ret = lend();

	if (ret != -EAGAIN)
		return ret;
	idle_survey();
	return lend();
}

static void assert_lends(const char *name)
{
	ck_assert_int_eq(borrow(), 0);
	ck_assert_uint_eq(fake.device_opens, 1);
	ck_assert_ptr_nonnull(strstr(fake.log, name));
	ck_assert_ptr_nonnull(strstr(fake.log, "warning"));
}

static void assert_none_lends(const char *why)
{
	ck_assert_int_eq(borrow(), -EBUSY);
	ck_assert_uint_eq(fake.device_opens, 0);
	lend_say_busy();
	ck_assert_ptr_nonnull(strstr(fake.log, why));
}

/* Another process has that. */
static void add_process(const char *fd, const char *maps)
{
	fake_add("/proc/4711", NULL);
	fake_add("/proc/4711/fd", NULL);
	if (fd)
		fake_add("/proc/4711/fd/5", fd);
	fake_add_lines("/proc/4711/maps", maps ? maps : "");
}

static void enable(unsigned int device)
{
	fake.enabled[device] = true;
}

static void enable_bus_mastering(unsigned int device)
{
	fake.config[device][PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
}

START_TEST(the_first_idle_one)
{
	fake.config[1][PCI_COMMAND] = PCI_COMMAND_MEMORY;
	assert_lends(DEVICE_1);
}
END_TEST

static void (*const in_use[])(unsigned int device) = {enable, enable_bus_mastering};

START_TEST(not_one_that_is_enabled)
{
	in_use[_i](1);
	assert_lends(DEVICE_0);
}
END_TEST

START_TEST(none_where_all_are_enabled)
{
	in_use[_i](1);
	in_use[_i](0);
	assert_none_lends("not pinned before a device is opened");
}
END_TEST

/* As in a container. The device that is there counts. */
START_TEST(none_where_one_is_enabled_and_one_has_no_node)
{
	enable(1);
	fake_remove("/dev/vfio/devices/noiommu-vfio0");
	assert_none_lends("not pinned before a device is opened");
}
END_TEST

/* What the firmware left on does no harm. */
START_TEST(one_without_power)
{
	enable_bus_mastering(1);
	enable(0);
	fake_add_lines(DIRECTORY_1 "/power_state", "D3hot\n");
	assert_lends(DEVICE_1);
	ck_assert_uint_eq(fake.config[1][PCI_COMMAND], PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}
END_TEST

START_TEST(not_one_that_is_open)
{
	static const char *const files[] = {"/resource0", "/resource2_wc", "/config", "/rom"};
	char path[128] = DIRECTORY_1;

	add_process(strcat(path, files[_i]), NULL);
	assert_lends(DEVICE_0);
}
END_TEST

START_TEST(one_that_is_looked_at)
{
	add_process(DIRECTORY_1 "/vendor", NULL);
	assert_lends(DEVICE_1);
}
END_TEST

START_TEST(not_one_that_is_mapped)
{
	add_process(NULL, "7f0000000000-7f0000004000 rw-s 00000000 00:15 77 /somewhere" DIRECTORY_1
			  "/resource0\n");
	assert_lends(DEVICE_0);
}
END_TEST

START_TEST(not_one_that_the_program_has_open)
{
	fake_add_lines(DIRECTORY_1 "/resource0", "");
	ck_assert_int_ge(sys_open(DIRECTORY_1 "/resource0", O_RDWR), 0);
	fake_add("/proc/self/fd/3", NULL);
	assert_lends(DEVICE_0);
	sys_close(3);
}
END_TEST

/* What it names it will want: last of all, but before nothing is pinned. */
START_TEST(last_the_one_that_is_named)
{
	fake_add_lines("/proc/self/cmdline", "driver -a 00:05.0");
	if (_i)
		enable(0);
	assert_lends(_i ? DEVICE_1 : DEVICE_0);
}
END_TEST

START_TEST(last_the_one_that_is_read)
{
	fake_add_lines(DIRECTORY_1 "/vendor", "");
	ck_assert_int_ge(sys_open(DIRECTORY_1 "/vendor", O_RDONLY), 0);
	fake_add("/proc/self/fd/3", NULL);
	assert_lends(DEVICE_0);
	sys_close(3);
}
END_TEST

/* A reset is not to be seen in it. */
START_TEST(gets_its_configuration_back)
{
	unsigned char before[sizeof(fake.config[0])];

	for (unsigned int i = 0; i < sizeof(before); i++)
		fake.config[1][i] = i == PCI_COMMAND ? 0x43 : (unsigned char)(i + 1);
	memcpy(before, fake.config[1], sizeof(before));
	fake.reset_clears = true;
	assert_lends(DEVICE_1);
	ck_assert_mem_eq(fake.config[1], before, sizeof(before));
}
END_TEST

/* What cannot be told is refused. */
START_TEST(what_cannot_be_told)
{
	static const char *const names[] = {"/proc", "/proc/self/fd", "/proc/self/maps",
					    DIRECTORY_1 "/enable"};

	enable(0);
	fake_remove(names[_i]);
	ck_assert_int_lt(borrow(), 0);
	ck_assert_uint_eq(fake.device_opens, 0);
}
END_TEST

static const char *refused_name; /* below /proc, for lack of a descriptor */

static long has_no_descriptor(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == SYS_openat && !strcmp((const char *)b, refused_name))
		return -EMFILE;
	return fake_sys_call(nr, a, b, c, d, e, f);
}

/* Another thread takes the last one while processes are looked at. */
START_TEST(process_that_cannot_be_looked_at)
{
	static const char *const names[] = {"4711/fd", "4711/maps"};

	add_process("../../.." DIRECTORY_1 "/resource0", NULL);
	refused_name = names[_i];
	sys_call = has_no_descriptor;
	ck_assert_int_eq(borrow(), -EMFILE);
	ck_assert_uint_eq(fake.device_opens, 0);
}
END_TEST

Suite *suite_lend(void)
{
	Suite *suite = suite_create("lend");
	TCase *tc = tcase_create("lend");

	tcase_add_checked_fixture(tc, program_setup, program_teardown);
	tcase_add_test(tc, the_first_idle_one);
	tcase_add_loop_test(tc, not_one_that_is_enabled, 0, 2);
	tcase_add_loop_test(tc, none_where_all_are_enabled, 0, 2);
	tcase_add_test(tc, none_where_one_is_enabled_and_one_has_no_node);
	tcase_add_test(tc, one_without_power);
	tcase_add_loop_test(tc, not_one_that_is_open, 0, 4);
	tcase_add_test(tc, one_that_is_looked_at);
	tcase_add_test(tc, not_one_that_is_mapped);
	tcase_add_test(tc, not_one_that_the_program_has_open);
	tcase_add_loop_test(tc, last_the_one_that_is_named, 0, 2);
	tcase_add_test(tc, last_the_one_that_is_read);
	tcase_add_test(tc, gets_its_configuration_back);
	tcase_add_loop_test(tc, what_cannot_be_told, 0, 4);
	tcase_add_loop_test(tc, process_that_cannot_be_looked_at, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
