/* SPDX-License-Identifier: MIT */
/* Memory that a program gives back, moves or maps twice: the pins follow it. */
#include <errno.h>
#include <string.h>

#include "fake.h"
#include "pin/pin.h"
#include "door/memory.h"
#include "pin/maps.h"
#include "program.h"
#include "suites.h"
#include "uapi/iommufd.h"

#define BASE  (4 * FAKE_1G)
#define ALIAS (8 * FAKE_1G)

static int pagemap;

static void setup(void)
{
	program_setup();
	pagemap = program_open("/proc/self/pagemap", O_RDONLY);
}

/* What the mappings are is read from a text, and what is in them page by page. */
static void setup_old(void)
{
	setup();
	fake.has_procmap = fake.has_pagemap_scan = false;
}

static void teardown(void)
{
	program_unmap(0, FAKE_OWN);
	program_sweep();
	ck_assert_uint_eq(store_count(), 0);
	program_close(pagemap);
	program_teardown();
}

static void look_up(uint64_t va, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		program_frame(pagemap, va + i * FAKE_4K);
}

/* In one read, so that one pin has them all. */
static void look_up_together(uint64_t va, uint64_t pages)
{
	uint64_t entries[512];

	ck_assert_int_eq(program_pread(pagemap, entries, pages * sizeof(*entries),
				       (off_t)(va / FAKE_4K * sizeof(*entries))),
			 pages * sizeof(*entries));
	look_up(va, pages);
}

START_TEST(unmapped_is_unpinned)
{
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	program_unmap(BASE, 8 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
	ck_assert(!store_any(BASE, 8 * FAKE_4K));
}
END_TEST

#ifdef __aarch64__
/* The kernel ignores the top byte of these addresses: the program's tag. */
START_TEST(tagged_address)
{
	const uint64_t tag = UINT64_C(0xb4) << 56;
	uint64_t entry;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(program_pread(pagemap, &entry, sizeof(entry),
				       (off_t)((tag | BASE) / FAKE_4K * sizeof(entry))),
			 sizeof(entry));
	ck_assert(fake_is_pinned(entry & PAGEMAP_PFN));
	ck_assert(memory_told((void *)(tag | BASE), FAKE_4K));
	program_unmap(tag | BASE, 8 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST
#endif

/* A length that is no multiple of a page goes up to one, as munmap()'s does. */
START_TEST(part_unmapped)
{
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	memory_leaving(BASE + 2 * FAKE_4K, 3 * FAKE_4K - 100);
	fake_unmap(BASE + 2 * FAKE_4K, 3 * FAKE_4K);
	memory_left(BASE + 2 * FAKE_4K, 3 * FAKE_4K - 100);
	ck_assert_uint_eq(fake.pinned, 1 + 5);
	look_up(BASE, 2);
	look_up(BASE + 5 * FAKE_4K, 3);
}
END_TEST

/* DPDK --legacy-mem: looked up here, mapped there as well, unmapped here. */
START_TEST(alias_keeps_the_pin)
{
	const uint64_t sizes[] = {FAKE_4K, FAKE_2M, FAKE_1G};
	struct fake_file *file = fake_file(2 * sizes[_i], sizes[_i]);
	uint64_t pfn;

	fake_map(BASE, 2 * sizes[_i], file, 0, 0);
	pfn = program_frame(pagemap, BASE + sizes[_i]);
	fake_map(ALIAS, 2 * sizes[_i], file, 0, 0);
	program_unmap(BASE, 2 * sizes[_i]);
	ck_assert(fake_is_pinned(pfn));
	fake_migrate();
	ck_assert_uint_eq(fake_pfn(ALIAS + sizes[_i]), pfn);
	ck_assert_uint_eq(program_frame(pagemap, ALIAS + sizes[_i]), pfn);
	/* The last mapping takes it along. */
	program_unmap(ALIAS, 2 * sizes[_i]);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

/* More mappings of other files than are kept from one page to the next. */
START_TEST(alias_behind_many)
{
	struct fake_file *other = fake_file(FAKE_4K, FAKE_4K);
	struct fake_file *file = fake_file(4 * FAKE_4K, FAKE_4K);

	for (uint64_t i = 0; i < MAPS_KEPT + (uint64_t)_i; i++)
		fake_map(BASE + FAKE_1G + 2 * i * FAKE_4K, FAKE_4K, other, 0, 0);
	fake_map(BASE, 4 * FAKE_4K, file, 0, 0);
	look_up(BASE, 4);
	fake_map(ALIAS, 3 * FAKE_4K, file, FAKE_4K, 0);
	program_unmap(BASE, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 3);
	fake_migrate();
	look_up(ALIAS, 3);
}
END_TEST

/* The other mapping shows another part of the file, at an odd place, page by page. */
START_TEST(alias_of_a_part)
{
	struct fake_file *file = fake_file(64 * FAKE_4K, FAKE_4K);
	uint64_t alias = ALIAS + FAKE_2M - 3 * FAKE_4K;

	fake_map(BASE, 64 * FAKE_4K, file, 0, 0);
	look_up_together(BASE, 64);
	fake_map(alias, 10 * FAKE_4K, file, 20 * FAKE_4K, 0);
	program_unmap(BASE, 64 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 10);
	fake_migrate();
	look_up(alias, 10);
	program_unmap(alias, 10 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

START_TEST(alias_that_goes_too)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 8 * FAKE_4K, file, 0, 0);
	fake_map(BASE + 8 * FAKE_4K, 8 * FAKE_4K, file, 0, 0);
	look_up_together(BASE, 8);
	program_unmap(BASE, 16 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
	ck_assert_str_eq(program_log(), "");
}
END_TEST

/* Another process's mapping is nobody's to keep a pin for: VPP wants its hugepage back. */
START_TEST(mapped_elsewhere_is_no_alias)
{
	struct fake_file *file = fake_file(FAKE_2M, FAKE_2M);

	fake_file_mapped_elsewhere(file);
	fake_map(BASE, FAKE_2M, file, 0, 0);
	look_up(BASE, 1);
	program_unmap(BASE, FAKE_2M);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

START_TEST(both_looked_up)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 8 * FAKE_4K, file, 0, 0);
	fake_map(ALIAS, 8 * FAKE_4K, file, 0, 0);
	look_up_together(BASE, 8);
	look_up(ALIAS + 2 * FAKE_4K, 3);
	ck_assert_uint_eq(fake.pinned, 1 + 8);
	program_unmap(BASE, 8 * FAKE_4K);
	fake_migrate();
	look_up(ALIAS, 8);
	ck_assert_uint_eq(fake.pinned, 1 + 8);
}
END_TEST

/* munmap() failed after all: nothing has changed. */
START_TEST(leaving_and_staying)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 8 * FAKE_4K, file, 0, 0);
	fake_map(ALIAS, 8 * FAKE_4K, file, 0, 0);
	look_up_together(BASE, 8);
	memory_leaving(BASE, 8 * FAKE_4K);
	fake_migrate();
	look_up(BASE, 8);
	look_up(ALIAS, 8);
}
END_TEST

START_TEST(moved)
{
	const uint64_t to[] = {ALIAS, ALIAS + 5 * FAKE_4K, ALIAS + FAKE_2M - 4 * FAKE_4K,
			       ALIAS + FAKE_2M - FAKE_4K};
	uint64_t pfns[8];

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	for (uint64_t i = 0; i < 8; i++)
		pfns[i] = fake_pfn(BASE + i * FAKE_4K);
	program_move(BASE, 8 * FAKE_4K, to[_i]);
	fake_migrate();
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_uint_eq(program_frame(pagemap, to[_i] + i * FAKE_4K), pfns[i]);
	ck_assert(!store_any(BASE, 8 * FAKE_4K));
	for (uint64_t i = 0; i < 8; i++) {
		program_unmap(to[_i] + i * FAKE_4K, FAKE_4K);
		ck_assert_uint_eq(fake.pinned, 1 + 7 - i);
	}
}
END_TEST

START_TEST(moved_over_other_memory)
{
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	fake_map(ALIAS, 4 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 4);
	look_up_together(ALIAS, 4);
	program_move(BASE, 4 * FAKE_4K, ALIAS);
	ck_assert_uint_eq(fake.pinned, 1 + 4);
	fake_migrate();
	look_up(ALIAS, 4);
}
END_TEST

/* What mremap() cuts off is given back, and stays where it is mapped elsewhere, too. */
START_TEST(shrunk)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 8 * FAKE_4K, file, 0, 0);
	fake_map(ALIAS, FAKE_4K, file, 7 * FAKE_4K, 0);
	look_up_together(BASE, 8);
	program_shrink(BASE, 8 * FAKE_4K, 3 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 3 + 1);
	fake_migrate();
	look_up(BASE, 3);
	look_up(ALIAS, 1);
}
END_TEST

START_TEST(huge_moved)
{
	fake_map(BASE, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	look_up(BASE, 1);
	program_move(BASE, FAKE_2M, ALIAS);
	fake_migrate();
	look_up(ALIAS + 100 * FAKE_4K, 2);
	ck_assert_uint_eq(fake.pinned, 1 + 512);
	ck_assert_uint_eq(store_count(), 1);
}
END_TEST

/*
 * Between the call and what the library does after it another thread gets
 * memory at the same address, and looks it up.
 */
START_TEST(had_by_another_thread_at_once)
{
	struct fake_file *file = _i ? fake_file(8 * FAKE_4K, FAKE_4K) : NULL;
	uint64_t pfn;

	fake.frames_shown = _i != 2;
	fake_map(BASE, 8 * FAKE_4K, file, 0, 0);
	look_up_together(BASE, 8);
	memory_leaving(BASE, 8 * FAKE_4K);
	fake_unmap(BASE, 8 * FAKE_4K);
	fake_map(BASE + FAKE_4K, FAKE_4K, file, file ? FAKE_4K : 0, 0);
	pfn = program_frame(pagemap, BASE + FAKE_4K);
	fake.moving = _i == 3;
	memory_left(BASE, 8 * FAKE_4K);
	fake.moving = 0;
	ck_assert(fake_is_pinned(pfn));
	fake_migrate();
	ck_assert_uint_eq(program_frame(pagemap, BASE + FAKE_4K), pfn);
}
END_TEST

/* The same where mremap() moved it away: both are pinned. */
START_TEST(had_by_another_thread_when_moved)
{
	uint64_t here, there;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	there = fake_pfn(BASE + FAKE_4K);
	memory_moving(BASE, 8 * FAKE_4K);
	fake_move(BASE, 8 * FAKE_4K, ALIAS);
	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	here = program_frame(pagemap, BASE + FAKE_4K);
	fake_migrate();
	memory_moved(BASE, ALIAS, 8 * FAKE_4K);
	fake_migrate();
	ck_assert_uint_eq(program_frame(pagemap, BASE + FAKE_4K), here);
	ck_assert_uint_eq(program_frame(pagemap, ALIAS + FAKE_4K), there);
	ck_assert_uint_eq(fake.pinned, 1 + 1 + 8);
}
END_TEST

/* ... and moves it on before the library does anything: the page is at neither address then. */
START_TEST(had_by_another_thread_and_moved)
{
	uint64_t pfn;

	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 1);
	memory_leaving(BASE, FAKE_4K);
	fake_unmap(BASE, FAKE_4K);
	fake_map(BASE, FAKE_4K, NULL, 0, 0);
	pfn = program_frame(pagemap, BASE);
	memory_moving(BASE, FAKE_4K);
	fake_move(BASE, FAKE_4K, ALIAS);
	memory_left(BASE, FAKE_4K);
	ck_assert(fake_is_pinned(pfn));
	memory_moved(BASE, ALIAS, FAKE_4K);
	fake_migrate();
	ck_assert_uint_eq(program_frame(pagemap, ALIAS), pfn);
	program_unmap(ALIAS, FAKE_4K);
	program_sweep();
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

START_TEST(not_moved)
{

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	memory_moving(BASE, 8 * FAKE_4K);
	memory_moved(BASE, BASE, 8 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 8);
	fake_migrate();
	look_up(BASE, 8);
}
END_TEST

/* Without memory for it the pages stay pinned where they were, and are found there. */
START_TEST(cannot_be_moved)
{
	uint64_t pfns[8];

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 8);
	for (uint64_t i = 0; i < 8; i++)
		pfns[i] = fake_pfn(BASE + i * FAKE_4K);
	fake_fail(SYS_ioctl, IOMMU_IOAS_COPY, 1 + (unsigned int)_i, ENOMEM);
	program_move(BASE, 8 * FAKE_4K, ALIAS);
	ck_assert(fake_failed());
	fake_migrate();
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_uint_eq(fake_pfn(ALIAS + i * FAKE_4K), pfns[i]);
	program_sweep();
	fake_migrate();
	for (uint64_t i = 0; i < 8; i++)
		ck_assert_uint_eq(program_frame(pagemap, ALIAS + i * FAKE_4K), pfns[i]);
	ck_assert_uint_eq(fake.pinned, 1 + 8);
}
END_TEST

/* MADV_DONTNEED: private pages are gone, shared ones come back the same. */
START_TEST(discarded)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);
	uint64_t shared;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	fake_map(ALIAS, 8 * FAKE_4K, file, 0, 0);
	look_up_together(BASE, 8);
	look_up_together(ALIAS, 8);
	shared = fake_pfn(ALIAS);
	program_discard(BASE + 2 * FAKE_4K, 4 * FAKE_4K);
	memory_discarding(ALIAS, 8 * FAKE_4K);
	memory_discarded(ALIAS, 8 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 4 + 8);
	fake_touch(BASE, 8 * FAKE_4K);
	look_up(BASE, 8);
	ck_assert_uint_eq(program_frame(pagemap, ALIAS), shared);
}
END_TEST

/* Several ranges at once, of which the kernel says how many bytes it did; then part of one. */
START_TEST(discarded_in_ranges)
{
	const struct iovec ranges[] = {{(void *)BASE, 2 * FAKE_4K},
				       {(void *)(BASE + 4 * FAKE_4K), 2 * FAKE_4K},
				       {(void *)(BASE + 6 * FAKE_4K), 2 * FAKE_4K}};

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	ck_assert_int_eq(program_process_discard(ranges, 3, 2 * FAKE_4K), 2 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 6);
	fake_touch(BASE, 8 * FAKE_4K);
	look_up(BASE, 8);
	ck_assert_int_eq(program_process_discard(ranges, 3, 6 * FAKE_4K), 6 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 2);
	fake_touch(BASE, 8 * FAKE_4K);
	look_up(BASE, 8);
	/* Something in the first was not mapped: the rest of it was discarded. */
	ck_assert_int_eq(program_process_discard(ranges, 3, -1), -1);
	ck_assert_uint_eq(fake.pinned, 1 + 6);
}
END_TEST

START_TEST(guarded)
{
	uint64_t entry = 0;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	fake.guarded = true;
	program_discard(BASE + 2 * FAKE_4K, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 4);
	fake.calls = 0;
	ck_assert_int_eq(program_lookup(pagemap, BASE + 2 * FAKE_4K, &entry), sizeof(entry));
	ck_assert_uint_eq(fake.calls, 1);
	ck_assert(!(entry & PAGEMAP_PRESENT));
}
END_TEST

/* A hole in the file takes its pages from all mappings; DPDK gives hugepages back so. */
START_TEST(punched)
{
	uint64_t size = _i ? FAKE_2M : FAKE_4K;
	struct fake_file *file = fake_file(8 * size, size);
	int fd = fake_file_open(file);

	fake_map(BASE, 8 * size, file, 0, 0);
	fake_map(ALIAS, 4 * size, file, 2 * size, 0);
	for (uint64_t i = 0; i < 8; i++)
		program_frame(pagemap, BASE + i * size);
	for (uint64_t i = 0; i < 4; i++)
		program_frame(pagemap, ALIAS + i * size);
	memory_punching(fd, (off_t)(3 * size), (off_t)(2 * size));
	fake_punch(file, 3 * size, 2 * size);
	memory_punched(fd, (off_t)(3 * size), (off_t)(2 * size));
	ck_assert_uint_eq(fake.pinned, 1 + 6 * size / FAKE_4K);
	/* ftruncate() */
	ck_assert(!memory_truncating(fd, (off_t)(8 * size)));
	ck_assert(memory_truncating(fd, (off_t)(6 * size)));
	fake_punch(file, 6 * size, 2 * size);
	memory_truncated(fd, (off_t)(6 * size));
	ck_assert_uint_eq(fake.pinned, 1 + 4 * size / FAKE_4K);
	sys_close(fd);
}
END_TEST

START_TEST(punched_behind_the_mapping)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);
	struct fake_file *other = fake_file(8 * FAKE_4K, FAKE_4K);
	int fd = fake_file_open(file), other_fd = fake_file_open(other);

	fake_map(BASE, 2 * FAKE_4K, file, 4 * FAKE_4K, 0);
	look_up_together(BASE, 2);
	memory_punched(fd, 0, 4 * FAKE_4K);
	memory_punched(fd, 6 * FAKE_4K, 2 * FAKE_4K);
	memory_punched(other_fd, 0, 8 * FAKE_4K);
	memory_punched(fd, 0, 0);
	memory_punched(-1, 0, 8 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1 + 2);
	sys_close(fd);
	sys_close(other_fd);
}
END_TEST

/* What concerns no pin must be cheap: every munmap() of the program comes here. */
START_TEST(memory_without_pins_costs_nothing)
{
	unsigned int calls;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up_together(BASE, 8);
	calls = fake.calls;
	ck_assert(!store_any(BASE - FAKE_2M, FAKE_2M));
	ck_assert(!store_any(BASE + 8 * FAKE_4K, FAKE_2M));
	ck_assert_uint_eq(fake.calls, calls);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, unmapped_is_unpinned);
	tcase_add_test(tc, part_unmapped);
#ifdef __aarch64__
	tcase_add_test(tc, tagged_address);
#endif
	tcase_add_loop_test(tc, alias_keeps_the_pin, 0, 3);
	tcase_add_loop_test(tc, alias_behind_many, -2, 3);
	tcase_add_test(tc, alias_of_a_part);
	tcase_add_test(tc, alias_that_goes_too);
	tcase_add_test(tc, mapped_elsewhere_is_no_alias);
	tcase_add_test(tc, both_looked_up);
	tcase_add_test(tc, leaving_and_staying);
	tcase_add_loop_test(tc, moved, 0, 4);
	tcase_add_test(tc, moved_over_other_memory);
	tcase_add_test(tc, shrunk);
	tcase_add_test(tc, huge_moved);
	tcase_add_loop_test(tc, had_by_another_thread_at_once, 0, 4);
	tcase_add_test(tc, had_by_another_thread_when_moved);
	tcase_add_test(tc, had_by_another_thread_and_moved);
	tcase_add_test(tc, not_moved);
	tcase_add_loop_test(tc, cannot_be_moved, 0, 4);
	tcase_add_test(tc, discarded);
	tcase_add_test(tc, discarded_in_ranges);
	tcase_add_test(tc, guarded);
	tcase_add_loop_test(tc, punched, 0, 2);
	tcase_add_test(tc, punched_behind_the_mapping);
	tcase_add_test(tc, memory_without_pins_costs_nothing);
}

Suite *suite_memory(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = tcase_create("memory");
	TCase *old = tcase_create("memory, before Linux 6.7");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(old, setup_old, teardown);
	add_tests(old);
	suite_add_tcase(suite, old);
	return suite;
}
