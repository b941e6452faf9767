/* SPDX-License-Identifier: MIT */
/* Reads of /proc/self/pagemap. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/lock.h"
#include "base/proc.h"
#include "base/settings.h"
#include "fake.h"
#include "iommufd/ioas.h"
#include "pin/pin.h"
#include "door/fd.h"
#include "door/lookup.h"
#include "door/memory.h"
#include "program.h"
#include "suites.h"
#include "uapi/iommufd.h"
#include "uapi/vfio.h"

#define BASE (4 * FAKE_1G)

static int pagemap;

static void setup(void)
{
	program_setup();
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	ck_assert_int_ge(pagemap, 0);
}

static void teardown(void)
{
	program_unmap(0, FAKE_OWN);
	program_sweep();
	ck_assert_uint_eq(store_count(), 0);
	program_close(pagemap);
	program_teardown();
}

static off_t position(uint64_t va)
{
	return (off_t)(va / FAKE_4K * sizeof(uint64_t));
}

/* Reads n entries, and the kernel's own beside them. */
static void read_both(uint64_t va, uint64_t *entries, uint64_t *real, size_t n)
{
	ssize_t size = (ssize_t)(n * sizeof(*entries));

	ck_assert_int_eq(program_pread(pagemap, entries, (size_t)size, position(va)), size);
	ck_assert_int_eq(sys_pread(pagemap, real, (size_t)size, position(va)), size);
}

static void assert_promise(uint64_t va, size_t n)
{
	for (size_t i = 0; i < n; i++)
		program_frame(pagemap, va + i * FAKE_4K);
}

START_TEST(one_page_is_pinned)
{
	uint64_t pfn;

	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	pfn = program_frame(pagemap, BASE + FAKE_4K);
	ck_assert_uint_eq(store_count(), 1);
	ck_assert(!fake_is_pinned(fake_pfn(BASE)));
	fake_migrate();
	ck_assert_uint_eq(program_frame(pagemap, BASE + FAKE_4K), pfn);
	ck_assert_uint_eq(fake_pfn(BASE + FAKE_4K), pfn);
	ck_assert_str_eq(program_log(), "");
}
END_TEST

START_TEST(asynchronous_read)
{
	fake_map(BASE, 100 * FAKE_4K, NULL, 0, 0);
	ck_assert(program_aio_read(pagemap, position(BASE), 100 * sizeof(uint64_t)));
	ck_assert_uint_eq(fake.pinned, 1 + 100);
	/* Past the end of the file, and before its begin. */
	ck_assert(program_aio_read(pagemap, position(FAKE_TASK) - 16, 4096));
	ck_assert(program_aio_read(pagemap, -8, 4096));
	ck_assert_uint_eq(fake.pinned, 1 + 100);
}
END_TEST

/* More than a driver looks up at once pins nothing, and takes no time. */
START_TEST(huge_asynchronous_read)
{
	static const size_t sizes[] = {SIZE_MAX, SIZE_MAX & ~(size_t)7, INT64_MAX, UINT32_MAX};

	fake_map(BASE, 100 * FAKE_4K, NULL, 0, 0);
	fake.calls = 0;
	ck_assert(program_aio_read(pagemap, position(BASE), sizes[_i]));
	ck_assert_uint_le(fake.calls, 2);
	ck_assert_uint_eq(fake.pinned, 0);
}
END_TEST

START_TEST(flags_are_the_kernels)
{
	uint64_t entries[4], real[4];
	struct fake_file *file = fake_file(2 * FAKE_4K, FAKE_4K);

	fake_file_mapped_elsewhere(file);
	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	fake_map(BASE + 2 * FAKE_4K, 2 * FAKE_4K, file, 0, 0);
	read_both(BASE, entries, real, 4);
	ck_assert_mem_eq(entries, real, sizeof(real));
	ck_assert(!(entries[0] & PAGEMAP_FILE));
	ck_assert(entries[3] & PAGEMAP_FILE);
	assert_promise(BASE, 4);
}
END_TEST

/* Not mapped, not present, a BAR: the kernel's answer, and no page comes into being. */
START_TEST(what_is_not_memory)
{
	static const uint64_t none[4];
	uint64_t entries[4], real[4];

	fake_map(BASE + FAKE_4K, FAKE_4K, NULL, 0, FAKE_ABSENT);
	fake_map(BASE + 2 * FAKE_4K, FAKE_4K, NULL, 0, FAKE_PFNMAP);
	read_both(BASE, entries, real, 4);
	ck_assert_mem_eq(entries, real, sizeof(real));
	ck_assert_mem_eq(entries, none, sizeof(none));
	ck_assert_uint_eq(store_count(), 0);
	ck_assert_uint_eq(fake_pfn(BASE + FAKE_4K), 0);
}
END_TEST

/* PROT_NONE keeps the pages that are there. */
START_TEST(no_access)
{
	uint64_t entries[3], real[3];

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	fake_map(BASE + FAKE_4K, FAKE_4K, NULL, 0, FAKE_NO_ACCESS);
	fake_map(BASE + 2 * FAKE_4K, FAKE_4K, NULL, 0, 0);
	read_both(BASE, entries, real, 3);
	ck_assert_mem_eq(entries, real, sizeof(real));
	ck_assert(entries[1] & PAGEMAP_PRESENT);
	ck_assert_uint_eq(store_count(), 2);
	ck_assert_str_eq(program_log(), "");
}
END_TEST

START_TEST(bulk_with_holes)
{
	uint64_t entries[700], real[700];

	fake_map(BASE, 700 * FAKE_4K, NULL, 0, FAKE_ABSENT);
	for (uint64_t i = 0; i < 700; i++)
		if (i % 7 && i % 11)
			fake_touch(BASE + i * FAKE_4K, FAKE_4K);
	read_both(BASE, entries, real, 700);
	ck_assert_mem_eq(entries, real, sizeof(real));
	for (uint64_t i = 0; i < 700; i++)
		ck_assert(!(entries[i] & PAGEMAP_PRESENT) ==
			  !fake_is_pinned(fake_pfn(BASE + i * FAKE_4K)));
}
END_TEST

START_TEST(kinds_of_memory_in_one_read)
{
	uint64_t entries[2048], real[2048];
	struct fake_file *file = fake_file(FAKE_2M, FAKE_2M);

	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	fake_map(BASE + FAKE_2M, FAKE_2M, file, 0, 0);
	fake_map(BASE + 2 * FAKE_2M, 64 * FAKE_4K, NULL, 0, 0);
	fake_map(BASE + 2 * FAKE_2M + 64 * FAKE_4K, 64 * FAKE_4K, fake_file(FAKE_2M, FAKE_4K),
		 FAKE_4K, 0);
	read_both(BASE, entries, real, 2048);
	ck_assert_mem_eq(entries, real, sizeof(real));
	assert_promise(BASE, 1024 + 128);
	fake_migrate();
	read_both(BASE, entries, real, 2048);
	ck_assert_mem_eq(entries, real, sizeof(real));
}
END_TEST

/* One lookup pins the whole huge page, from whichever of its parts. */
START_TEST(huge_page)
{
	uint64_t size = _i ? FAKE_1G : FAKE_2M;

	fake_map(BASE, 2 * size, fake_file(2 * size, size), 0, 0);
	program_frame(pagemap, BASE + size + 77 * FAKE_4K);
	ck_assert_uint_eq(store_count(), 1);
	ck_assert(fake_is_pinned(fake_pfn(BASE + size)));
	ck_assert(fake_is_pinned(fake_pfn(BASE + 2 * size - FAKE_4K)));
	ck_assert(!fake_is_pinned(fake_pfn(BASE)));
	fake_migrate();
	assert_promise(BASE + size, 4);
}
END_TEST

START_TEST(position_advances)
{
	uint64_t entry, all[8];

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	sys_lseek(pagemap, position(BASE), SEEK_SET);
	for (uint64_t i = 0; i < 4; i++) {
		ck_assert_int_eq(program_read(pagemap, &entry, sizeof(entry)), sizeof(entry));
		ck_assert_uint_eq(entry & PAGEMAP_PFN, fake_pfn(BASE + i * FAKE_4K));
		ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
		ck_assert_int_eq(sys_lseek(pagemap, 0, SEEK_CUR),
				 position(BASE + (i + 1) * FAKE_4K));
	}
	ck_assert_int_eq(program_read(pagemap, all, 4 * sizeof(*all)), 4 * sizeof(*all));
	ck_assert_int_eq(sys_lseek(pagemap, 0, SEEK_CUR), position(BASE + 8 * FAKE_4K));
	assert_promise(BASE, 8);
	/* pread() leaves it alone. */
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	ck_assert_int_eq(sys_lseek(pagemap, 0, SEEK_CUR), position(BASE + 8 * FAKE_4K));
}
END_TEST

START_TEST(kernel_refusals)
{
	uint64_t entries[2];

	ck_assert_int_eq(program_pread(pagemap, entries, 7, 0), -EINVAL);
	ck_assert_int_eq(program_pread(pagemap, entries, 8, 4), -EINVAL);
	ck_assert_int_eq(program_pread(pagemap, entries, 8, position(FAKE_TASK)), 0);
	ck_assert_int_eq(program_pread(pagemap, entries, 16, position(FAKE_TASK - FAKE_4K)), 8);
	ck_assert_int_eq(program_pread(pagemap, entries, 0, 0), 0);
}
END_TEST

/* What is pinned and true costs the read itself and nothing more. */
START_TEST(known_pages_cost_one_call)
{
	uint64_t entries[512];
	unsigned int calls;

	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	assert_promise(BASE, 512);
	calls = fake.calls;
	for (int i = 0; i < 100; i++)
		program_pread(pagemap, entries, sizeof(entries), position(BASE));
	ck_assert_uint_eq(fake.calls, calls + 100);
}
END_TEST

/* Open, seek, read, close for each: as the kernel's own, but for where it was read. */
START_TEST(opened_again_costs_one_call)
{
	uint64_t entry;
	unsigned int calls;

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	program_frame(pagemap, BASE);
	calls = fake.calls;
	for (int i = 0; i < 100; i++) {
		int fd = program_open("/proc/self/pagemap", O_RDONLY);

		sys_lseek(fd, position(BASE), SEEK_SET);
		ck_assert_int_eq(program_read(fd, &entry, sizeof(entry)), sizeof(entry));
		ck_assert_int_eq(program_close(fd), 0);
	}
	ck_assert_uint_eq(fake.calls, calls + 5 * 100);
}
END_TEST

/* What is pinned there is told by descriptors that nobody had looked at. */
START_TEST(opened_again_is_ours)
{
	int fd = program_open("/proc/self/pagemap", O_RDONLY), copy = program_dup(fd);

	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	program_frame(fd, BASE);
	program_frame(copy, BASE + FAKE_4K);
	program_close(copy);
	program_close(fd);
}
END_TEST

/* What it is cannot be told in the child of a vfork(), which has descriptors of its own. */
START_TEST(opened_again_for_a_vfork_child)
{
	int fd = program_open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	fake.pid = 4711;
	ck_assert_int_eq(program_lookup(fd, BASE, &entry), -ENOMEM);
	fake.pid = 0;
	ck_assert_ptr_nonnull(strstr(fake.log, "pagemap is refused to a process that has its "
					       "parent's memory"));
	fake.log[0] = '\0';
	program_frame(fd, BASE);
	program_close(fd);
}
END_TEST

/* It would pin by descriptors of its own, which end with it. */
START_TEST(first_in_a_vfork_child)
{
	uint64_t entry;
	int fd;

	fake_add_pagemap("/proc/self/task/4712/pagemap");
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	fd = program_open("/proc/self/task/4712/pagemap", O_RDONLY);
	ck_assert(!fdtab_is_expected(fd));
	fake.pid = 4711;
	ck_assert_int_eq(program_lookup(fd, BASE, &entry), -ENOMEM);
	fake.pid = 0;
	ck_assert_ptr_nonnull(strstr(fake.log, "pagemap is refused to a process that has its "
					       "parent's memory"));
	fake.log[0] = '\0';
	program_frame(fd, BASE);
	fake.pid = 4711;
	program_frame(fd, BASE);
	fake.pid = 0;
	program_close(fd);
}
END_TEST

START_TEST(opened_again_and_replaced_unseen)
{
	int fd = program_open("/proc/self/pagemap", O_RDONLY);
	uint64_t text = ~UINT64_C(0);

	ck_assert(fdtab_is_expected(fd));
	sys_close(fd);
	ck_assert_int_eq(sys_open("/proc/self/maps", O_RDONLY), fd);
	ck_assert_int_eq(lookup_read(fd, &text, sizeof(text), 0, 0), sizeof(text));
	ck_assert_uint_eq(text, ~UINT64_C(0));
	ck_assert_int_eq(fdtab_kind(fd), FD_NOT_OURS);
	program_close(fd);
}
END_TEST

START_TEST(opened_again_and_replaced)
{
	int fd = program_open("/proc/self/pagemap", O_RDONLY);

	program_close(fd);
	ck_assert_int_eq(program_open("/proc/self/maps", O_RDONLY), fd);
	fd_replaced(fd);
	ck_assert_int_eq(fdtab_kind(fd), FD_NOT_OURS);
	program_close(fd);
}
END_TEST

/* It cannot be told whose pages these are: no answer, until it can. */
START_TEST(opened_again_and_not_told)
{
	int fd = program_open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	fake_fail(SYS_fstat, 0, 1, ENOMEM);
	ck_assert_int_eq(program_lookup(fd, BASE, &entry), -ENOMEM);
	ck_assert(fake_failed());
	program_frame(fd, BASE);
	program_close(fd);
}
END_TEST

/* free() and a new malloc() at the same address, inside libc. */
START_TEST(memory_replaced_unseen)
{
	uint64_t old;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	assert_promise(BASE, 8);
	old = fake_pfn(BASE + 3 * FAKE_4K);
	fake_unmap(BASE, 8 * FAKE_4K);
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	program_frame(pagemap, BASE + 3 * FAKE_4K);
	assert_promise(BASE, 8);
	ck_assert(fake_is_pinned(old));
	program_sweep();
	ck_assert(!fake_is_pinned(old));
}
END_TEST

/* The same, where a huge page was, and many more are known. */
START_TEST(huge_page_replaced_unseen)
{
	const uint64_t pages = 12;

	fake_map(BASE, pages * FAKE_2M, fake_file(pages * FAKE_2M, FAKE_2M), 0, 0);
	for (uint64_t i = 0; i < pages; i++)
		program_frame(pagemap, BASE + i * FAKE_2M);
	fake_unmap(BASE, pages * FAKE_2M);
	fake_map(BASE, pages * FAKE_2M, NULL, 0, 0);
	for (uint64_t i = pages; i-- > 0;)
		assert_promise(BASE + i * FAKE_2M + 5 * FAKE_4K, 3);
	/* And huge pages in their place again. */
	fake_unmap(BASE, pages * FAKE_2M);
	fake_map(BASE, pages * FAKE_2M, fake_file(pages * FAKE_2M, FAKE_2M), 0, 0);
	for (uint64_t i = pages; i-- > 0;)
		assert_promise(BASE + i * FAKE_2M + 5 * FAKE_4K, 3);
}
END_TEST

/* Memory that is gone for good does not stay pinned for good. */
START_TEST(memory_gone_unseen)
{
	fake_map(BASE, 64 * FAKE_4K, NULL, 0, 0);
	for (uint64_t i = 0; i < 64; i += 2)
		program_frame(pagemap, BASE + i * FAKE_4K);
	fake_unmap(BASE, 64 * FAKE_4K);
	fake_map(BASE + FAKE_2M, 64 * FAKE_4K, NULL, 0, 0);
	for (uint64_t i = 0; i < 64; i++)
		program_frame(pagemap, BASE + FAKE_2M + i * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 64 + 1);
}
END_TEST

/*
 * What is lost lies before and behind what was looked at the last time, and
 * beside pages that are in use: none of these is given up.
 */
START_TEST(lost_among_others)
{
	const size_t pages = 512;
	uint64_t held[512];

	fake_map(BASE, pages * FAKE_4K, NULL, 0, 0);
	for (size_t i = 0; i < pages; i++)
		held[i] = program_frame(pagemap, BASE + i * FAKE_4K);
	/* Not where a program would look it up again. */
	for (size_t i = 1; i < pages; i += 12)
		fake_unmap(BASE + i * FAKE_4K, FAKE_4K);
	for (size_t i = 2; i < pages; i += 12) {
		fake_unmap(BASE + i * FAKE_4K, FAKE_4K);
		fake_map(BASE + i * FAKE_4K, FAKE_4K, NULL, 0, 0);
	}
	fake_map(BASE + FAKE_1G, pages * FAKE_4K, NULL, 0, 0);
	for (size_t i = 0; i < pages; i++)
		program_frame(pagemap, BASE + FAKE_1G + i * FAKE_4K);
	ck_assert_uint_lt(store_strays(), 64);
	program_sweep();
	for (size_t i = 0; i < pages; i++)
		ck_assert_int_eq(fake_is_pinned(held[i]), i % 12 != 1 && i % 12 != 2);
	for (size_t i = 0; i < pages; i += 12)
		ck_assert_uint_eq(fake_pfn(BASE + i * FAKE_4K), held[i]);
}
END_TEST

/* The zero page, a private page of a file: pinning copies it, the address is the copy's. */
START_TEST(page_copied_by_the_pin)
{
	uint64_t entries[16], before = 0;

	fake_map(BASE, 16 * FAKE_4K, NULL, 0, FAKE_COPIED);
	before = fake_pfn(BASE);
	ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries), position(BASE)),
			 sizeof(entries));
	ck_assert_uint_ne(entries[0] & PAGEMAP_PFN, before);
	for (uint64_t i = 0; i < 16; i++)
		ck_assert_uint_eq(entries[i] & PAGEMAP_PFN, fake_pfn(BASE + i * FAKE_4K));
	assert_promise(BASE, 16);
}
END_TEST

/* The kernel tries to move a page that is pinned, and one that is not. */
START_TEST(page_on_the_move)
{
	uint64_t pfn;

	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	pfn = program_frame(pagemap, BASE);
	fake.moving = 5;
	ck_assert_uint_eq(program_frame(pagemap, BASE), pfn);
	ck_assert_uint_eq(fake.moving, 0);
	fake.moving = 5;
	program_frame(pagemap, BASE + FAKE_4K);
}
END_TEST

/* Somebody who looks at the address space, not at a buffer. */
START_TEST(scan_pins_nothing)
{
	static uint64_t entries[32768], real[32768];

	fake_map(BASE, 64 * FAKE_4K, NULL, 0, 0);
	read_both(BASE, entries, real, 32768);
	ck_assert_mem_eq(entries, real, sizeof(real));
	ck_assert_uint_eq(store_count(), 0);
}
END_TEST

START_TEST(another_process_is_not_ours)
{
	int fd = program_open("/proc/1/pagemap", O_RDONLY);
	uint64_t entry;

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(program_lookup(fd, BASE, &entry), sizeof(entry));
	ck_assert_uint_eq(store_count(), 0);
	program_close(fd);
}
END_TEST

/* A bound that is not ours: a raw close() and another file under the number. */
START_TEST(number_reused)
{
	uint64_t value = 1;
	char text[8] = "";

	sys_close(pagemap);
	ck_assert_int_eq(sys_open("/dev/tty", O_RDONLY), pagemap);
	ck_assert_int_eq(program_read(pagemap, text, 2), 2);
	ck_assert_str_eq(text, "Y\n");
	memcpy(&value, text, sizeof(value));
	ck_assert_uint_eq(value, 'Y' | '\n' << 8);
}
END_TEST

/*
 * The same with another process's pagemap, and a page that is new: it is pinned, and an
 * entry that would have to be changed is left alone. Another thread can have been told
 * of the page by then: it stays.
 */
START_TEST(number_reused_by_another_pagemap)
{
	const uint64_t new = BASE + FAKE_2M;
	uint64_t entry, other;

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	fake_map(new, FAKE_4K, NULL, 0, _i ? FAKE_COPIED : 0);
	program_frame(pagemap, BASE);
	sys_close(pagemap);
	ck_assert_int_eq(sys_open("/proc/1/pagemap", O_RDONLY), pagemap);
	sys_pread(pagemap, &other, sizeof(other), position(new));
	ck_assert_int_eq(program_lookup(pagemap, new, &entry), sizeof(entry));
	ck_assert_uint_eq(entry, other);
	ck_assert_uint_eq(store_count(), 2);
	ck_assert_uint_eq(store_pfn(BASE), fake_pfn(BASE));
	ck_assert_uint_eq(store_pfn(new), fake_pfn(new));
	ck_assert(fake_is_pinned(fake_pfn(new)));
}
END_TEST

/* The same of the library's own iommufd: it is lost, or something else is under its number. */
START_TEST(iommufd_lost)
{
	int fd;

	fake_map(BASE, 3 * FAKE_4K, NULL, 0, 0);
	program_frame(pagemap, BASE);
	fd = ioas_fd();
	sys_close(fd);
	ck_assert_uint_eq(fake.pinned, 0);
	if (_i)
		sys_fcntl(pagemap, F_DUPFD, fd);
	ck_assert_ptr_null(strstr(fake.log, "pins are lost"));
	program_frame(pagemap, BASE + FAKE_4K);
	ck_assert_ptr_nonnull(strstr(fake.log, ": 1 pins are lost"));
	program_frame(pagemap, BASE + 2 * FAKE_4K);
	ck_assert_ptr_null(strstr(strstr(fake.log, "pins are lost") + 1, "pins are lost"));
	ck_assert_uint_eq(store_count(), 2);
	if (_i)
		sys_close(fd);
}
END_TEST

/* Another thread has the number before the one that closed it says so. */
START_TEST(closed_and_opened_anew)
{
	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	program_frame(pagemap, BASE);
	sys_close(pagemap);
	ck_assert_int_eq(program_open("/proc/self/pagemap", O_RDONLY), pagemap);
	if (_i)
		fd_closed(pagemap);
	else
		fd_range_closed((unsigned int)pagemap, (unsigned int)pagemap);
	ck_assert_int_eq(fdtab_kind(pagemap), FD_PAGEMAP);
	program_frame(pagemap, BASE + FAKE_4K);
	ck_assert_uint_eq(store_count(), 2);
}
END_TEST

/* ---- without CAP_SYS_ADMIN: the kernel shows no frames ---- */

START_TEST(hidden_frames_are_told)
{
	uint64_t entries[16];
	unsigned int flags = _i ? FAKE_COPIED : 0;

	fake.frames_shown = false;
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, flags);
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries), position(BASE)),
				 sizeof(entries));
		for (uint64_t i = 0; i < 16; i++)
			ck_assert_uint_eq(entries[i] & PAGEMAP_PFN, fake_pfn(BASE + i * FAKE_4K));
		assert_promise(BASE, 16);
		fake_migrate();
	}
}
END_TEST

START_TEST(hidden_frames_replaced_unseen)
{
	fake.frames_shown = false;
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	assert_promise(BASE, 8);
	fake_discard(BASE, 8 * FAKE_4K);
	fake_touch(BASE, 8 * FAKE_4K);
	assert_promise(BASE + 2 * FAKE_4K, 3);
	assert_promise(BASE, 8);
}
END_TEST

START_TEST(hidden_huge_page)
{
	fake.frames_shown = false;
	fake_map(BASE, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	assert_promise(BASE + 9 * FAKE_4K, 2);
	ck_assert_uint_eq(store_count(), 1);
	ck_assert_uint_eq(fake.pinned, 512 + 1);
}
END_TEST

/* Without CAP_SYS_RAWIO nothing can be pinned: no frame is told, and none was. */
START_TEST(no_rights)
{
	uint64_t entry;

	fake.rawio = false;
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	fake.frames_shown = false;
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	ck_assert_uint_eq(entry & PAGEMAP_PFN, 0);
	ck_assert(entry & PAGEMAP_PRESENT);
	fake.frames_shown = true;
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), -EPERM);
	ck_assert_ptr_nonnull(strstr(fake.log, "CAP_SYS_RAWIO"));
	fake.rawio = true;
	program_frame(pagemap, BASE);
}
END_TEST

/* ---- when it cannot be kept ---- */

START_TEST(limit_in_the_middle)
{
	uint64_t entries[8];

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	fake.pin_limit = 5;
	sys_lseek(pagemap, position(BASE), SEEK_SET);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(program_read(pagemap, entries, sizeof(entries)), -ENOMEM);
		ck_assert_int_eq(sys_lseek(pagemap, 0, SEEK_CUR), position(BASE));
	}
	ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries), position(BASE)), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(fake.log, "RLIMIT_MEMLOCK"));
	ck_assert_ptr_null(strchr(strchr(program_log(), '\n') + 1, '\n'));
	/* Those for which there is room can be had. */
	assert_promise(BASE, 4);
	fake.pin_limit = 100;
	assert_promise(BASE, 8);
}
END_TEST

START_TEST(one_bad_page_among_good_ones)
{
	uint64_t entries[8], real[8];

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	assert_promise(BASE, 1);
	fake_fail(SYS_ioctl, IOMMU_IOAS_MAP, 1, EFAULT);
	read_both(BASE, entries, real, 8);
	ck_assert(fake_failed());
	ck_assert_mem_eq(entries, real, sizeof(real));
	assert_promise(BASE, 8);
}
END_TEST

static void assert_one_line(const char *what)
{
	ck_assert_ptr_nonnull(strstr(program_log(), what));
	ck_assert_ptr_null(strchr(strchr(program_log(), '\n') + 1, '\n'));
}

/* Memory that no device can be given, and memory where there is no IOVA for it. */
START_TEST(cannot_be_pinned)
{
	const uint64_t base = _i ? PIN_VA_LIMIT + BASE : BASE;
	uint64_t entries[3], real[3];

	fake_map(base, 3 * FAKE_4K, NULL, 0, 0);
	fake_map(base + FAKE_4K, FAKE_4K, NULL, 0, FAKE_SECRET);
	sys_lseek(pagemap, position(base), SEEK_SET);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(program_read(pagemap, entries, sizeof(entries)), -EFAULT);
		ck_assert_int_eq(sys_lseek(pagemap, 0, SEEK_CUR), position(base));
	}
	assert_one_line("EFAULT");
	settings.unpinned = UNPINNED_FALLBACK;
	read_both(base, entries, real, 3);
	settings.unpinned = UNPINNED_REFUSE;
	ck_assert_mem_eq(entries, real, sizeof(real));
	ck_assert_uint_eq(store_count(), _i ? 0 : 2);
	program_unmap(base, 3 * FAKE_4K);
}
END_TEST

/* ENOMEM has several causes. */
START_TEST(says_what_is_lacking)
{
	static const char *const causes[] = {"RLIMIT_MEMLOCK is used up, which is 20 KiB",
					     "the kernel has no memory", "has to stay movable"};
	uint64_t entries[8];

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	fake.pin_limit = 5;
	fake.ipc_lock = _i > 0;
	fake_add_lines("/proc/zoneinfo", _i < 2 ? "Node 0, zone   Normal\n"
						  "        spanned  99999999\n  start_pfn: 1\n"
						: "Node 0, zone  Movable\n"
						  "        spanned  99999999\n  start_pfn: 1\n");
	ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries), position(BASE)), -ENOMEM);
	assert_one_line(causes[_i]);
}
END_TEST

START_TEST(fall_back_at_the_limit)
{
	uint64_t entries[8], real[8];

	settings.unpinned = UNPINNED_FALLBACK;
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	fake.pin_limit = 5;
	assert_promise(BASE, 2);
	read_both(BASE, entries, real, 8);
	ck_assert_mem_eq(entries, real, sizeof(real));
	assert_one_line("RLIMIT_MEMLOCK");
	fake.pin_limit = 100;
	assert_promise(BASE, 8);
	settings.unpinned = UNPINNED_REFUSE;
}
END_TEST

START_TEST(fall_back_without_rights)
{
	uint64_t entry, real;

	settings.unpinned = UNPINNED_FALLBACK;
	fake.rawio = false;
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	read_both(BASE, &entry, &real, 1);
	ck_assert_uint_eq(entry, real);
	assert_one_line("CAP_SYS_RAWIO");
	settings.unpinned = UNPINNED_REFUSE;
	fake.rawio = true;
}
END_TEST

/* ---- no page table can be had: another process has every device ---- */

static struct other others[2];

static void all_busy(void)
{
	others[0] = other_open(0);
	others[1] = other_open(1);
}

/* The entry of the first of two pages, looked up then. */
static uint64_t told_while_busy(void)
{
	uint64_t entry;

	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	all_busy();
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	return entry;
}

/* One device is free again, and another page is looked up. */
static void settle(uint64_t other)
{
	other_close(&others[0]);
	program_frame(pagemap, other);
}

START_TEST(deferred_until_a_device_is_free)
{
	uint64_t entries[8], real[8];
	struct driver s;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	all_busy();
	read_both(BASE, entries, real, 8);
	ck_assert_mem_eq(entries, real, sizeof(real));
	ck_assert_uint_eq(store_count(), 0);
	other_close(&others[1]);
	s = driver_open(1);
	/* Without another read, the addresses that the program has are of pinned pages. */
	for (uint64_t i = 0; i < 8; i++) {
		ck_assert_uint_eq(fake_pfn(BASE + i * FAKE_4K), entries[i] & PAGEMAP_PFN);
		ck_assert(fake_is_pinned(entries[i] & PAGEMAP_PFN));
	}
	driver_close(&s);
	other_close(&others[0]);
}
END_TEST

/* The next lookup finds a free device: it settles the first ones as well. */
START_TEST(deferred_until_another_lookup)
{
	uint64_t entry = told_while_busy();

	settle(BASE + FAKE_4K);
	ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
	other_close(&others[1]);
}
END_TEST

/*
 * The entry was read before the page was copied and another thread looked the
 * copy up: that stays pinned all along.
 */
START_TEST(entry_older_than_the_pin)
{
	uint64_t entry, pfn;

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(sys_pread(pagemap, &entry, sizeof(entry), position(BASE)), sizeof(entry));
	fake_migrate();
	pfn = program_frame(pagemap, BASE);
	fake_fail(SYS_ioctl, IOMMU_IOAS_UNMAP, 1, EINVAL);
	ck_assert_int_eq(lookup_read(pagemap, &entry, sizeof(entry), position(BASE), 0),
			 sizeof(entry));
	ck_assert(!fake_failed());
	ck_assert_uint_eq(entry & PAGEMAP_PFN, pfn);
}
END_TEST

/* Another page was mapped there unseen, and the kernel moves it just when the pin is doubted. */
START_TEST(replaced_unseen_and_on_the_move)
{
	uint64_t entry, pfn;

	fake_map(BASE, FAKE_4K, fake_file(FAKE_4K, FAKE_4K), 0, 0);
	program_frame(pagemap, BASE);
	fake_map(BASE, FAKE_4K, fake_file(FAKE_4K, FAKE_4K), 0, 0);
	pfn = fake_pfn(BASE);
	ck_assert_int_eq(sys_pread(pagemap, &entry, sizeof(entry), position(BASE)), sizeof(entry));
	fake.moving = 3;
	ck_assert_int_eq(lookup_read(pagemap, &entry, sizeof(entry), position(BASE), 0),
			 sizeof(entry));
	ck_assert_uint_eq(fake.moving, 0);
	ck_assert_uint_eq(entry & PAGEMAP_PFN, pfn);
	ck_assert(fake_is_pinned(pfn));
}
END_TEST

/* It moved meanwhile: the program must not reach a device with a wrong address. */
START_TEST(deferred_and_moved)
{
	int container, group;

	told_while_busy();
	fake_migrate();
	settle(BASE + FAKE_4K);
	ck_assert_ptr_nonnull(strstr(fake.log, "moved before it could be pinned"));
	container = program_open("/dev/vfio/vfio", O_RDWR);
	group = program_open_group(0);
	ck_assert_int_eq(program_set_container(group, container), 0);
	ck_assert_int_eq(program_ioctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU), 0);
	ck_assert_int_eq(program_get_device(group, DEVICE_0), -EFAULT);
	program_close(group);
	program_close(container);
	other_close(&others[1]);
}
END_TEST

START_TEST(deferred_memory_moved)
{
	uint64_t entry = told_while_busy(), to = BASE + 16 * FAKE_4K;

	program_move(BASE, 2 * FAKE_4K, to);
	settle(to + FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
	other_close(&others[1]);
}
END_TEST

/* Another thread has the address before it is noted that it was given back. */
START_TEST(deferred_memory_had_at_once)
{
	uint64_t entry = told_while_busy();

	fake_unmap(BASE, FAKE_4K);
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	memory_left(BASE, FAKE_4K);
	settle(BASE + FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
	other_close(&others[1]);
}
END_TEST

/* ... and has moved it on: it is at neither address then. */
START_TEST(deferred_memory_had_and_moved)
{
	uint64_t entry = told_while_busy(), to = BASE + 16 * FAKE_4K;

	memory_leaving(BASE, FAKE_4K);
	fake_unmap(BASE, FAKE_4K);
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	memory_moving(BASE, FAKE_4K);
	fake_move(BASE, FAKE_4K, to);
	memory_left(BASE, FAKE_4K);
	memory_moved(BASE, to, FAKE_4K);
	settle(BASE + FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
	other_close(&others[1]);
}
END_TEST

START_TEST(deferred_memory_given_back)
{
	told_while_busy();
	program_unmap(BASE, FAKE_4K);
	settle(BASE + FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	other_close(&others[1]);
}
END_TEST

/* Its contents are thrown away: what comes then is no other page than was promised. */
START_TEST(deferred_memory_discarded)
{
	told_while_busy();
	program_discard(BASE, FAKE_4K);
	settle(BASE + FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	other_close(&others[1]);
}
END_TEST

START_TEST(deferred_memory_detached)
{
	uint64_t entry, len;

	fake_map(BASE, FAKE_4K, fake_file(FAKE_4K, FAKE_4K), 0, 0);
	fake_map(BASE + 16 * FAKE_4K, FAKE_4K, NULL, 0, 0);
	all_busy();
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	len = memory_detaching(BASE);
	ck_assert_uint_eq(len, FAKE_4K);
	fake_unmap(BASE, FAKE_4K);
	memory_detached(BASE, len);
	settle(BASE + 16 * FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	other_close(&others[1]);
}
END_TEST

/* By fallocate(), ftruncate(), madvise(MADV_REMOVE), and open(O_TRUNC). */
START_TEST(deferred_memory_cut_out)
{
	struct fake_file *file = fake_file(FAKE_4K, FAKE_4K);
	int fd = fake_file_open(file);
	uint64_t entry;

	fake_map(BASE, FAKE_4K, file, 0, 0);
	fake_map(BASE + 16 * FAKE_4K, FAKE_4K, NULL, 0, 0);
	all_busy();
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), sizeof(entry));
	if (_i == 0)
		memory_punching(fd, 0, FAKE_4K);
	else if (_i == 1)
		ck_assert(memory_truncating(fd, 0));
	else if (_i == 2)
		memory_removing(BASE, FAKE_4K);
	fake_punch(file, 0, FAKE_4K);
	if (_i == 0)
		memory_punched(fd, 0, FAKE_4K);
	else if (_i == 1)
		memory_truncated(fd, 0);
	else if (_i == 2)
		memory_removed(BASE, FAKE_4K);
	else
		memory_emptied(fd);
	settle(BASE + 16 * FAKE_4K);
	ck_assert_str_eq(program_log(), "");
	sys_close(fd);
	other_close(&others[1]);
}
END_TEST

/* The frame is not known, and there is none to give: better an error than a guess. */
START_TEST(busy_and_hidden)
{
	uint64_t entry;

	fake.frames_shown = false;
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	all_busy();
	ck_assert_int_eq(program_lookup(pagemap, BASE, &entry), -EBUSY);
	other_close(&others[0]);
	program_frame(pagemap, BASE);
	other_close(&others[1]);
}
END_TEST

/* This process has the devices' groups, no device yet: its own serve. */
START_TEST(own_groups_serve)
{
	int first, second;

	program_close(pagemap);
	program_setup_with_groups();
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	first = program_open_group(0);
	second = program_open_group(1);
	ck_assert_int_ge(first, 0);
	ck_assert_int_ge(second, 0);
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	program_frame(pagemap, BASE);
	/* And are held again. */
	ck_assert_int_eq(sys_open("/dev/vfio/noiommu-7", O_RDWR), -EBUSY);
	ck_assert_int_eq(sys_open("/dev/vfio/noiommu-8", O_RDWR), -EBUSY);
	program_close(first);
	program_close(second);
}
END_TEST

/* ---- whose pagemap it is ---- */

/* By whatever name: of a thread, in another namespace's /proc, a link, a mount on another file. */
static const char *const own_names[] = {
	"/proc/self/task/4712/pagemap",
	"/other/4711/pagemap",
	"/other/4711/task/4712/pagemap",
	"/tmp/pages",
};

START_TEST(own_by_any_name)
{
	int fd;

	fake_add_pagemap(own_names[_i]);
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	fd = program_open(own_names[_i], O_RDONLY);
	ck_assert_int_ge(fd, 0);
	program_frame(fd, BASE);
	program_close(fd);
	/* Before there was an ioctl by which it shows what it is. */
	fake.has_pagemap_scan = false;
	fd = program_open(own_names[_i], O_RDONLY);
	if (_i < 3)
		program_frame(fd, BASE + FAKE_4K);
	program_close(fd);
	ck_assert_ptr_null(strstr(fake.log, "error"));
}
END_TEST

/* The kernel's answer, and nothing is pinned. */
START_TEST(not_own)
{
	uint64_t entry, real;
	int fd = program_open("/proc/1/pagemap", O_RDONLY);

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(program_lookup(fd, BASE, &entry), sizeof(entry));
	ck_assert_int_eq(sys_pread(fd, &real, sizeof(real), position(BASE)), sizeof(real));
	ck_assert_uint_eq(entry, real);
	ck_assert_uint_eq(store_count(), 0);
	program_close(fd);
	ck_assert_str_eq(fake.log, "");
}
END_TEST

/* Where it cannot be told it is refused, and the log says so once. */
START_TEST(cannot_be_told)
{
	static const struct {
		long nr;
		int error;
	} calls[] = {
		{SYS_getrandom, EAGAIN},
		{SYS_mmap, ENOMEM},
		{SYS_fstatfs, EIO},
		{SYS_pread64, EIO},
	};
	char *end;

	fake_add_pagemap("/other/4711/pagemap");
	for (int i = 0; i < 2; i++) {
		fake_fail(calls[_i].nr, 0, 1, calls[_i].error);
		ck_assert_int_eq(program_open("/other/4711/pagemap", O_RDONLY), -calls[_i].error);
		ck_assert(fake_failed());
	}
	ck_assert_ptr_nonnull(strstr(fake.log, "cannot tell whose pages a pagemap shows"));
	end = strchr(fake.log, '\n');
	ck_assert_str_eq(end, "\n");
}
END_TEST

/* Opened when the library was loaded, it stays when /proc and the last descriptor are gone. */
START_TEST(kept_from_the_start)
{
	static const char *const gone[] = {"/proc", "/proc/self", "/proc/self/pagemap",
					   "/proc/self/maps"};
	struct lock_saved saved = lock_enter();
	int fds[64], fd, n;

	proc_start();
	lock_leave(saved);
	ck_assert_uint_eq(fake_hidden_descriptors(), 3);
	fake_map(BASE, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
	program_frame(pagemap, BASE);
	fake_add_pagemap("/other/4711/pagemap");
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		fake_remove(gone[i]);
	fake.descriptor_limit = 32;
	for (n = 0; (fds[n] = (int)sys_fcntl(0, F_DUPFD, 3)) >= 0; n++)
		;
	sys_close(fds[--n]);
	fd = program_open("/other/4711/pagemap", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	program_frame(fd, BASE + 5 * FAKE_4K);
	ck_assert_uint_eq(store_count(), 1);
	program_close(fd);
	while (n)
		sys_close(fds[--n]);
	ck_assert_ptr_null(strstr(fake.log, "error"));
	teardown();
}
END_TEST

/* Without the right to use devices nothing is kept. */
START_TEST(nothing_kept_without_rights)
{
	struct lock_saved saved = lock_enter();

	fake.rawio = false;
	proc_start();
	lock_leave(saved);
	ck_assert_uint_eq(fake_hidden_descriptors(), 0);
}
END_TEST

/* The pagemap that was opened with rights tells what the page table tells no more. */
START_TEST(rights_given_up)
{
	uint64_t entry;

	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	fake_map(BASE + FAKE_2M, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	program_frame(pagemap, BASE);
	fake.rawio = false;
	program_frame(pagemap, BASE);
	program_frame(pagemap, BASE + 3 * FAKE_4K);
	program_frame(pagemap, BASE + FAKE_2M + 3 * FAKE_4K);
	fake.frames_shown = false;
	ck_assert_int_eq(program_lookup(pagemap, BASE + FAKE_4K, &entry), sizeof(entry));
	ck_assert_uint_eq(entry & PAGEMAP_PFN, 0);
	ck_assert(!fake_is_pinned(fake_pfn(BASE + FAKE_4K)));
}
END_TEST

/* It came from another process, or as the same file that this process had before exec(). */
START_TEST(received)
{
	int fd;

	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	fd = sys_open("/proc/self/pagemap", O_RDONLY);
	fd_received(fd);
	program_frame(fd, BASE);
	program_close(fd);
	fd = sys_open("/proc/self/pagemap", O_RDONLY);
	fake_fail(SYS_getrandom, 0, 1, EAGAIN);
	fd_received(fd);
	ck_assert(fake_failed());
	program_frame(fd, BASE + FAKE_4K);
	program_close(fd);
}
END_TEST

Suite *suite_pagemap(void)
{
	Suite *suite = suite_create("pagemap");
	TCase *tc = tcase_create("pagemap");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_page_is_pinned);
	tcase_add_test(tc, asynchronous_read);
	tcase_add_loop_test(tc, huge_asynchronous_read, 0, 4);
	tcase_add_test(tc, flags_are_the_kernels);
	tcase_add_test(tc, what_is_not_memory);
	tcase_add_test(tc, no_access);
	tcase_add_test(tc, bulk_with_holes);
	tcase_add_test(tc, kinds_of_memory_in_one_read);
	tcase_add_loop_test(tc, huge_page, 0, 2);
	tcase_add_test(tc, position_advances);
	tcase_add_test(tc, kernel_refusals);
	tcase_add_test(tc, known_pages_cost_one_call);
	tcase_add_test(tc, opened_again_costs_one_call);
	tcase_add_test(tc, opened_again_is_ours);
	tcase_add_test(tc, opened_again_for_a_vfork_child);
	tcase_add_test(tc, first_in_a_vfork_child);
	tcase_add_test(tc, opened_again_and_replaced_unseen);
	tcase_add_test(tc, opened_again_and_replaced);
	tcase_add_test(tc, opened_again_and_not_told);
	tcase_add_test(tc, entry_older_than_the_pin);
	tcase_add_test(tc, replaced_unseen_and_on_the_move);
	tcase_add_test(tc, memory_replaced_unseen);
	tcase_add_test(tc, huge_page_replaced_unseen);
	tcase_add_test(tc, memory_gone_unseen);
	tcase_add_test(tc, lost_among_others);
	tcase_add_test(tc, page_copied_by_the_pin);
	tcase_add_test(tc, page_on_the_move);
	tcase_add_test(tc, scan_pins_nothing);
	tcase_add_test(tc, another_process_is_not_ours);
	tcase_add_test(tc, number_reused);
	tcase_add_loop_test(tc, number_reused_by_another_pagemap, 0, 2);
	tcase_add_loop_test(tc, iommufd_lost, 0, 2);
	tcase_add_loop_test(tc, closed_and_opened_anew, 0, 2);
	tcase_add_loop_test(tc, hidden_frames_are_told, 0, 2);
	tcase_add_test(tc, hidden_frames_replaced_unseen);
	tcase_add_test(tc, hidden_huge_page);
	tcase_add_test(tc, no_rights);
	tcase_add_test(tc, limit_in_the_middle);
	tcase_add_test(tc, one_bad_page_among_good_ones);
	tcase_add_loop_test(tc, cannot_be_pinned, 0, 2);
	tcase_add_loop_test(tc, says_what_is_lacking, 0, 3);
	tcase_add_test(tc, fall_back_at_the_limit);
	tcase_add_test(tc, fall_back_without_rights);
	tcase_add_test(tc, deferred_until_a_device_is_free);
	tcase_add_test(tc, deferred_until_another_lookup);
	tcase_add_test(tc, deferred_memory_moved);
	tcase_add_test(tc, deferred_memory_had_at_once);
	tcase_add_test(tc, deferred_memory_had_and_moved);
	tcase_add_test(tc, deferred_memory_given_back);
	tcase_add_test(tc, deferred_memory_discarded);
	tcase_add_test(tc, deferred_memory_detached);
	tcase_add_loop_test(tc, deferred_memory_cut_out, 0, 4);
	tcase_add_test(tc, busy_and_hidden);
	tcase_add_test(tc, own_groups_serve);
	/* It spoils the process for good: without fork() nothing could come after it. */
	if (!getenv("CK_FORK") || strcmp(getenv("CK_FORK"), "no"))
		tcase_add_test(tc, deferred_and_moved);
	tcase_add_loop_test(tc, own_by_any_name, 0, 4);
	tcase_add_test(tc, not_own);
	tcase_add_loop_test(tc, cannot_be_told, 0, 4);
	tcase_add_test(tc, received);
	tcase_add_test(tc, rights_given_up);
	suite_add_tcase(suite, tc);
	tc = tcase_create("start");
	tcase_add_checked_fixture(tc, program_setup, NULL);
	tcase_add_test(tc, kept_from_the_start);
	tcase_add_test(tc, nothing_kept_without_rights);
	suite_add_tcase(suite, tc);
	return suite;
}
