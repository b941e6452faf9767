/* SPDX-License-Identifier: MIT */
/* What holds of pins by iommufd has to hold of those by io_uring. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/hidden.h"
#include "base/lock.h"
#include "base/rights.h"
#include "base/settings.h"
#include "door/end.h"
#include "fake.h"
#include "iommufd/ioas.h"
#include "pin/pin.h"
#include "program.h"
#include "suites.h"
#include "uapi/iommufd.h"
#include "uring/ring.h"
#include "uring/uring.h"

#define BASE  (4 * FAKE_1G)
#define OTHER (8 * FAKE_1G)

static int pagemap;

/* A kernel with no VFIO at all, as appliances have it. */
static void begin(bool has_tables)
{
	program_setup_without_vfio();
	fake.uring_error = 0;
	fake.has_uring_tables = has_tables;
}

static void setup(void)
{
	begin(true);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_ge(pagemap, 0);
}

static void setup_old(void)
{
	begin(false);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_ge(pagemap, 0);
}

static void teardown(void)
{
	program_unmap(0, FAKE_OWN);
	program_close(pagemap);
	program_sweep();
	ck_assert_uint_eq(store_count(), 0);
	ck_assert_uint_eq(fake.pinned, 0);
	program_teardown();
}

/* So many pages are pinned, whose addresses are told and stay. */
static void look_up(uint64_t va, size_t pages, uint64_t step)
{
	for (size_t i = 0; i < pages; i++)
		ck_assert(fake_is_pinned(program_frame(pagemap, va + i * step)));
}

static void assert_stays(uint64_t va, uint64_t len)
{
	for (uint64_t at = va; at < va + len; at += FAKE_4K) {
		uint64_t frame = fake_pfn(at);

		fake_migrate();
		ck_assert_uint_eq(fake_pfn(at), frame);
	}
}

START_TEST(pages_stay)
{
	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	look_up(BASE, 16, FAKE_4K);
	assert_stays(BASE, 16 * FAKE_4K);
	ck_assert_str_eq(program_log(), "");
}
END_TEST

/* The last call of the process. Another thread can still look addresses up. */
START_TEST(unpinned_at_the_end)
{
	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	look_up(BASE, 16, FAKE_4K);
	end_process();
	ck_assert_uint_eq(fake.pinned, 0);
	look_up(BASE, 16, FAKE_4K);
	assert_stays(BASE, 16 * FAKE_4K);
}
END_TEST

/* The address is that of the copy that is pinned. */
START_TEST(copies_are_told)
{
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, FAKE_COPIED);
	look_up(BASE, 16, FAKE_4K);
	assert_stays(BASE, 16 * FAKE_4K);
}
END_TEST

START_TEST(huge_pages)
{
	struct fake_file *file = fake_file(4 * FAKE_2M, FAKE_2M);

	fake_map(BASE, 4 * FAKE_2M, file, 0, 0);
	look_up(BASE, 4, FAKE_2M);
	program_unmap(BASE + FAKE_2M, FAKE_2M);
	assert_stays(BASE, FAKE_4K);
	assert_stays(BASE + 3 * FAKE_2M - FAKE_4K, FAKE_4K);
	ck_assert_uint_eq(store_count(), 3);
	program_unmap(BASE, 4 * FAKE_2M);
	ck_assert_uint_eq(fake.pinned, 0);
}
END_TEST

/* What is left of a buffer is pinned by buffers of its own, the rest is not any more. */
START_TEST(part_is_given_back)
{
	uint64_t entries[16];

	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries),
				       (off_t)(BASE / FAKE_4K * sizeof(*entries))),
			 sizeof(entries));
	ck_assert_uint_eq(store_count(), 1);
	program_unmap(BASE + 4 * FAKE_4K, 8 * FAKE_4K);
	assert_stays(BASE, 4 * FAKE_4K);
	assert_stays(BASE + 12 * FAKE_4K, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 8);
	program_unmap(BASE, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 4);
}
END_TEST

/* A shared page that is in no page table does not come into one by that. */
START_TEST(part_stays_absent)
{
	struct fake_file *file = fake_file(16 * FAKE_4K, FAKE_4K);
	uint64_t entries[16];

	fake_map(BASE, 16 * FAKE_4K, file, 0, 0);
	ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries),
				       (off_t)(BASE / FAKE_4K * sizeof(*entries))),
			 sizeof(entries));
	fake_map(BASE, 4 * FAKE_4K, file, 0, FAKE_UNTOUCHED);
	program_unmap(BASE + 8 * FAKE_4K, 8 * FAKE_4K);
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entries[0]), sizeof(entries[0]));
	ck_assert_uint_eq(entries[0], 0);
	assert_stays(BASE, 8 * FAKE_4K);
}
END_TEST

/* A page that is mapped elsewhere, too, does not keep its neighbours, touched there or not. */
START_TEST(alias_of_a_part)
{
	struct fake_file *file = fake_file(4 * FAKE_4K, FAKE_4K);
	unsigned int flags = _i ? FAKE_UNTOUCHED : 0;
	uint64_t entries[4], frame;

	fake_map(BASE, 4 * FAKE_4K, file, 0, 0);
	fake_map(OTHER, FAKE_4K, file, FAKE_4K, flags);
	ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries),
				       (off_t)(BASE / FAKE_4K * sizeof(*entries))),
			 sizeof(entries));
	ck_assert_uint_eq(store_count(), 1);
	frame = fake_pfn(BASE + FAKE_4K);
	program_unmap(BASE, 4 * FAKE_4K);
	ck_assert(fake_is_pinned(frame));
	ck_assert_uint_eq(fake.pinned, 1);
	if (flags) {
		ck_assert_int_eq(program_lookup(pagemap, OTHER, entries), sizeof(*entries));
		ck_assert_uint_eq(*entries, 0);
	}
	program_unmap(OTHER, FAKE_4K);
	program_sweep();
	ck_assert_uint_eq(fake.pinned, 0);
}
END_TEST

START_TEST(moved_memory_stays)
{
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 16, FAKE_4K);
	program_move(BASE, 16 * FAKE_4K, OTHER);
	assert_stays(OTHER, 16 * FAKE_4K);
	look_up(OTHER, 16, FAKE_4K);
	program_unmap(OTHER, 8 * FAKE_4K);
	assert_stays(OTHER + 8 * FAKE_4K, 8 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 8);
}
END_TEST

/* A ring's table has an end; places that were given back are used again. */
START_TEST(more_than_one_ring)
{
	const size_t pages = RING_SLOTS + 8;
	const uint64_t step = 2 * FAKE_4K;
	unsigned int before = fake_hidden_descriptors();

	for (int i = 0; i < 3; i++) {
		fake_map(BASE, pages * step, NULL, 0, 0);
		look_up(BASE, pages, step);
		ck_assert_uint_eq(fake_hidden_descriptors(), before + 1);
		program_unmap(BASE, pages * step);
		program_sweep();
		ck_assert_uint_eq(fake.pinned, 0);
	}
}
END_TEST

START_TEST(limit_is_reached)
{
	uint64_t entry;

	fake.pin_limit = 4;
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 4, 2 * FAKE_4K);
	ck_assert_int_eq(program_lookup(pagemap, BASE + 8 * FAKE_4K, &entry), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(program_log(), "RLIMIT_MEMLOCK"));
	fake.log[0] = '\0';
}
END_TEST

START_TEST(memory_that_cannot_be_pinned)
{
	unsigned int descriptors;
	uint64_t entry;

	fake_map(BASE, FAKE_4K, NULL, 0, FAKE_SECRET);
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), -EFAULT);
	ck_assert_ptr_nonnull(strstr(program_log(), "io_uring pins no memory"));
	descriptors = fake_hidden_descriptors();
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), -EFAULT);
	ck_assert_uint_eq(fake_hidden_descriptors(), descriptors);
	fake.log[0] = '\0';
	settings.unpinned = UNPINNED_FALLBACK;
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	settings.unpinned = UNPINNED_REFUSE;
	fake.log[0] = '\0';
}
END_TEST

/* All rings are closed by a call that nobody saw: that is said, and lookups go on. */
START_TEST(rings_are_closed)
{
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 2, FAKE_4K);
	for (int fd = 3; fd < 1024; fd++)
		if (fdtab_kind(fd) == FD_HIDDEN)
			sys_close(fd);
	look_up(BASE + 8 * FAKE_4K, 4, FAKE_4K);
	ck_assert_ptr_nonnull(strstr(program_log(), "pins are lost"));
	fake.log[0] = '\0';
	look_up(BASE, 2, FAKE_4K);
	assert_stays(BASE, 2 * FAKE_4K);
}
END_TEST

/* A child has rings of its own, and lets go of its parent's. */
START_TEST(child_has_its_own)
{
	struct lock_saved saved;
	int status;
	pid_t child;
	bool ok;

	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 4, FAKE_4K);
	child = fork();
	if (!child) {
		saved = lock_enter();
		uring_in_child();
		uring_close_inherited();
		/* The fake kernel was copied, too. */
		ok = !fake.pinned && !store_count() &&
		     !pin_add(BASE, 2 * FAKE_4K, PIN_PAGE_SHIFT, false);
		ok &= fake.pinned == 2 && store_pfn(BASE) == fake_pfn(BASE);
		pin_release(BASE, FAKE_4K, NULL);
		ok &= fake.pinned == 1;
		lock_leave(saved);
		_exit(!ok);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	assert_stays(BASE, 4 * FAKE_4K);
}
END_TEST

/* ---- the choice ---- */

static const struct {
	int error;
	const char *disabled, *cause;
} causes[] = {
	{ENOSYS, NULL, "this kernel has none"},
	{EPERM, NULL, "a seccomp profile forbids it"},
	{EPERM, "2\n", "kernel.io_uring_disabled forbids it"},
	{ENOMEM, NULL, "RLIMIT_MEMLOCK"},
};

START_TEST(refused)
{
	uint64_t entry;

	begin(true);
	fake.uring_error = causes[_i].error;
	if (causes[_i].disabled)
		fake_add_lines("/proc/sys/kernel/io_uring_disabled", causes[_i].disabled);
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_ge(pagemap, 0);
	ck_assert_int_eq(
		sys_pread(pagemap, &entry, sizeof(entry), (off_t)(BASE / FAKE_4K * sizeof(entry))),
		sizeof(entry));
	ck_assert_ptr_nonnull(strstr(program_log(), "warning: memory is not pinned"));
	ck_assert_ptr_nonnull(strstr(program_log(), causes[_i].cause));
	fake.log[0] = '\0';
	teardown();
}
END_TEST

/* Every device is in use: what was deferred once is pinned. */
START_TEST(no_device_lends)
{
	struct other others[2];

	program_setup();
	fake.uring_error = 0;
	others[0] = other_open(0);
	others[1] = other_open(1);
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	look_up(BASE, 4, FAKE_4K);
	other_close(&others[0]);
	other_close(&others[1]);
	assert_stays(BASE, 4 * FAKE_4K);
	teardown();
}
END_TEST

/*
 * A process gives up its rights, or has something mounted over /dev or no /sys any
 * more, before its first lookup: the kernel shows frames then as before.
 */
START_TEST(no_device_is_in_reach)
{
	program_setup();
	fake.uring_error = 0;
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	fake.rawio = _i > 0;
	if (_i == 1) {
		fake_remove("/dev/vfio/devices/noiommu-vfio0");
		fake_remove("/dev/vfio/devices/noiommu-vfio1");
	} else if (_i == 2) {
		fake_remove("/sys/class/vfio-dev");
	}
	look_up(BASE, 4, FAKE_4K);
	assert_stays(BASE, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.device_opens, 0);
	fake.rawio = true;
	teardown();
}
END_TEST

/* A filter could kill for it: it is not asked unless that is asked for. */
static const struct {
	const char *status; /* NULL: no /proc */
	enum settings_backend backend;
	unsigned long own;
	bool pins;
} filters[] = {
	{"Name:\tx\nSeccomp:\t2\n", BACKEND_URING, 0, true},
	{"Name:\tx\n", BACKEND_AUTO, 0, true}, /* a kernel without seccomp */
	{"Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n", BACKEND_AUTO, 0, false},
	{NULL, BACKEND_AUTO, 0, false},
	{"Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t2\n", BACKEND_AUTO, 2, true},
	{"Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t3\n", BACKEND_AUTO, 2, false},
	{"Name:\tx\nSeccomp:\t2\n", BACKEND_AUTO, 2, false}, /* before Linux 5.9 */
};

START_TEST(filtered)
{
	uint64_t entry;

	begin(true);
	fake.uring_error = 0;
	fake_remove("/proc/thread-self/status");
	if (filters[_i].status)
		fake_add_lines("/proc/thread-self/status", filters[_i].status);
	settings.backend = filters[_i].backend;
	rights_own_filters = filters[_i].own;
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	if (filters[_i].pins) {
		look_up(BASE, 1, FAKE_4K);
		assert_stays(BASE, FAKE_4K);
	} else {
		ck_assert_int_gt(program_lookup(pagemap, BASE, &entry), 0);
		ck_assert_uint_eq(fake.pinned, 0);
		ck_assert_ptr_nonnull(strstr(program_log(), "NOIOMMU_SHIM_BACKEND=uring"));
		fake.log[0] = '\0';
	}
	settings.backend = BACKEND_AUTO;
	rights_own_filters = 0;
	teardown();
}
END_TEST

START_TEST(forced)
{
	program_setup();
	settings.backend = BACKEND_URING;
	fake.uring_error = 0;
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	look_up(BASE, 4, FAKE_4K);
	ck_assert_uint_eq(fake.device_opens, 0);
	settings.backend = BACKEND_AUTO;
	teardown();
}
END_TEST

/* Without the right to see frames, a lookup gets the kernel's own entry, which hides the frame. */
START_TEST(forced_without_rights)
{
	uint64_t entry = 0;

	program_setup();
	settings.backend = BACKEND_URING;
	fake.uring_error = 0;
	fake.frames_shown = false;
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_eq(program_pread(pagemap, &entry, sizeof(entry),
				       (off_t)(BASE / FAKE_4K * sizeof(entry))),
			 sizeof(entry));
	ck_assert(entry & PAGEMAP_PRESENT && !(entry & PAGEMAP_PFN));
	ck_assert_ptr_nonnull(strstr(fake.log, "the program may not see page frames"));
	ck_assert_ptr_null(strstr(fake.log, "cannot pin a page"));
	fake.log[0] = '\0';
	settings.backend = BACKEND_AUTO;
	teardown();
}
END_TEST

/* ---- a device takes over ---- */

static void setup_with_devices(void)
{
	program_setup();
	fake.uring_error = 0;
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_ge(pagemap, 0);
}

/* What claims the window stays pinned. */
static void teardown_with_devices(void)
{
	program_unmap(0, FAKE_OWN);
	program_close(pagemap);
	program_sweep();
	ck_assert_uint_eq(store_count(), 0);
	program_teardown();
}

/* What is not pinned for the moment of a call has moved by the next one. */
static long migrates_meanwhile(long nr, long a, long b, long c, long d, long e, long f)
{
	fake_migrate();
	return fake_sys_call(nr, a, b, c, d, e, f);
}

static void assert_taken_over(void)
{
	ck_assert_ptr_eq(backend->map, ioas_map);
	assert_stays(BASE, 16 * FAKE_4K);
	assert_stays(BASE + FAKE_2M, FAKE_2M);
	program_unmap(BASE + 4 * FAKE_4K, FAKE_4K);
	assert_stays(BASE, 4 * FAKE_4K);
	assert_stays(BASE + 5 * FAKE_4K, 11 * FAKE_4K);
	program_unmap(BASE, FAKE_1G);
	ck_assert_uint_eq(fake.pinned, 1);
}

static void look_up_first(void)
{
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	fake_map(BASE + FAKE_2M, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	look_up(BASE, 8, FAKE_4K);
	look_up(BASE + FAKE_2M, 1, FAKE_4K);
	look_up(BASE + 8 * FAKE_4K, 8, FAKE_4K);
	ck_assert_uint_eq(fake.device_opens, 0);
}

/* Looks up, then opens a device with other system calls. Returns the frame that was at BASE. */
static uint64_t open_device(struct driver *driver, __typeof__(fake_sys_call) *calls)
{
	uint64_t frame;

	look_up_first();
	frame = fake_pfn(BASE);
	sys_call = calls;
	*driver = driver_open(0);
	sys_call = fake_sys_call;
	return frame;
}

START_TEST(device_is_opened)
{
	struct driver driver;
	uint64_t frame = open_device(&driver, migrates_meanwhile);

	ck_assert_uint_eq(fake_pfn(BASE), frame);
	ck_assert_uint_eq(fake.device_opens, 1);
	ck_assert_str_eq(fake.log, "");
	assert_taken_over();
	driver_close(&driver);
}
END_TEST

/* io_uring pins no memory that is read-only: one is borrowed for that. */
START_TEST(device_is_borrowed)
{
	look_up_first();
	fake_map(OTHER, FAKE_4K, NULL, 0, FAKE_READ_ONLY);
	look_up(OTHER, 1, FAKE_4K);
	ck_assert_uint_eq(fake.device_opens, 1);
	ck_assert_ptr_nonnull(strstr(fake.log, "lent its page table"));
	ck_assert_str_eq(program_log(), "");
	assert_stays(OTHER, FAKE_4K);
	program_unmap(OTHER, FAKE_4K);
	assert_taken_over();
}
END_TEST

/* io_uring pins by a write, which would show. */
START_TEST(device_is_borrowed_unseen)
{
	look_up_first();
	fake_map(OTHER, 4 * FAKE_4K, NULL, 0, FAKE_CLEAN);
	look_up(OTHER, 4, FAKE_4K);
	ck_assert_uint_eq(fake.device_opens, 1);
	ck_assert_str_eq(program_log(), "");
	assert_stays(OTHER, 4 * FAKE_4K);
	program_unmap(OTHER, 4 * FAKE_4K);
	assert_taken_over();
}
END_TEST

/* That it shows is better than a page that moves. Nor is a device looked for again. */
START_TEST(none_can_be_borrowed)
{
	uint64_t entry;

	look_up_first();
	for (size_t i = 0; i < FAKE_DEVICES; i++)
		fake.enabled[i] = true;
	fake_map(OTHER, 4 * FAKE_4K, NULL, 0, FAKE_CLEAN);
	look_up(OTHER, 4, FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	assert_stays(OTHER, 4 * FAKE_4K);
	assert_stays(BASE, 16 * FAKE_4K);
	memset(fake.enabled, 0, sizeof(fake.enabled));
	fake_map(OTHER + FAKE_2M, FAKE_4K, NULL, 0, FAKE_READ_ONLY);
	ck_assert_int_lt(program_lookup(pagemap, OTHER + FAKE_2M, &entry), 0);
	ck_assert_uint_eq(fake.device_opens, 0);
}
END_TEST

/* None is reset for what no device takes, or may not be read. */
START_TEST(none_is_borrowed)
{
	uint64_t entry;

	look_up_first();
	fake_map(OTHER, FAKE_4K, NULL, 0, FAKE_NO_ACCESS);
	ck_assert_int_eq(program_lookup(pagemap, OTHER, &entry), sizeof(entry));
	ck_assert_uint_eq(fake.device_opens, 0);
	assert_stays(BASE, 16 * FAKE_4K);
}
END_TEST

/* Another page comes to an address at the last moment, in a way that is not seen. */
static long replaces_at_last(long nr, long a, long b, long c, long d, long e, long f)
{
	const struct iommu_ioas_map *map = (const void *)c;

	if (nr == SYS_ioctl && b == IOMMU_IOAS_MAP && map->user_va == BASE) {
		fake_discard(BASE, FAKE_4K);
		fake_touch(BASE, FAKE_4K);
	}
	return fake_sys_call(nr, a, b, c, d, e, f);
}

/* What was told stays pinned. */
START_TEST(address_differs)
{
	struct driver driver;
	uint64_t frame = open_device(&driver, replaces_at_last);

	ck_assert_uint_ne(fake_pfn(BASE), frame);
	ck_assert(fake_is_pinned(frame));
	ck_assert_ptr_nonnull(strstr(fake.log, "is not what was looked up there before"));
	fake.log[0] = '\0';
	assert_stays(BASE + FAKE_4K, 15 * FAKE_4K);
	assert_stays(BASE + FAKE_2M, FAKE_2M);
	look_up(BASE, 1, FAKE_4K);
	driver_close(&driver);
}
END_TEST

Suite *suite_uring(void)
{
	Suite *suite = suite_create("uring");
	TCase *tc = tcase_create("uring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, pages_stay);
	tcase_add_test(tc, unpinned_at_the_end);
	tcase_add_test(tc, copies_are_told);
	tcase_add_test(tc, huge_pages);
	tcase_add_test(tc, part_is_given_back);
	tcase_add_test(tc, part_stays_absent);
	tcase_add_loop_test(tc, alias_of_a_part, 0, 2);
	tcase_add_test(tc, moved_memory_stays);
	tcase_add_test(tc, more_than_one_ring);
	tcase_add_test(tc, limit_is_reached);
	tcase_add_test(tc, memory_that_cannot_be_pinned);
	tcase_add_test(tc, rings_are_closed);
	tcase_add_test(tc, child_has_its_own);
	suite_add_tcase(suite, tc);
	tc = tcase_create("before 5.13");
	tcase_add_checked_fixture(tc, setup_old, teardown);
	tcase_add_test(tc, pages_stay);
	tcase_add_test(tc, unpinned_at_the_end);
	tcase_add_test(tc, copies_are_told);
	tcase_add_test(tc, huge_pages);
	tcase_add_test(tc, part_is_given_back);
	tcase_add_test(tc, part_stays_absent);
	tcase_add_loop_test(tc, alias_of_a_part, 0, 2);
	tcase_add_test(tc, moved_memory_stays);
	tcase_add_test(tc, memory_that_cannot_be_pinned);
	tcase_add_test(tc, child_has_its_own);
	suite_add_tcase(suite, tc);
	tc = tcase_create("choice");
	tcase_add_loop_test(tc, refused, 0, sizeof(causes) / sizeof(causes[0]));
	tcase_add_test(tc, no_device_lends);
	tcase_add_loop_test(tc, no_device_is_in_reach, 0, 3);
	tcase_add_loop_test(tc, filtered, 0, sizeof(filters) / sizeof(filters[0]));
	tcase_add_test(tc, forced);
	tcase_add_test(tc, forced_without_rights);
	suite_add_tcase(suite, tc);
	tc = tcase_create("a device takes over");
	tcase_add_checked_fixture(tc, setup_with_devices, teardown_with_devices);
	tcase_add_test(tc, device_is_opened);
	tcase_add_test(tc, device_is_borrowed);
	tcase_add_test(tc, device_is_borrowed_unseen);
	tcase_add_test(tc, none_can_be_borrowed);
	tcase_add_test(tc, none_is_borrowed);
	tcase_add_test(tc, address_differs);
	suite_add_tcase(suite, tc);
	return suite;
}
