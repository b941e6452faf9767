/* SPDX-License-Identifier: MIT */
/* Pins are of pages: whoever moves, aliases, punches or frees them, seen or unseen. */
#include <errno.h>
#include <string.h>

#include "base/lock.h"
#include "base/sys.h"
#include "door/memory.h"
#include "fake.h"
#include "pin/ahead.h"
#include "pin/mark.h"
#include "pin/pin.h"
#include "pin/store.h"
#include "program.h"
#include "suites.h"
#include "uapi/iommufd.h"

#define BASE  (4 * FAKE_1G)
#define ALIAS (8 * FAKE_1G)
#define OTHER (12 * FAKE_1G)

static int pagemap;
static uint64_t told[512];

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
	fake.rawio = true;
	program_sweep();
	ck_assert_uint_eq(store_count(), 0);
	program_close(pagemap);
	program_teardown();
}

static void look_up(uint64_t va, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		told[i] = program_frame(pagemap, va + i * FAKE_4K);
}

/* What was told is true at va, is pinned, and is told again. */
static void assert_kept(uint64_t va, uint64_t pages)
{
	fake_migrate();
	for (uint64_t i = 0; i < pages; i++)
		ck_assert_uint_eq(fake_pfn(va + i * FAKE_4K), told[i]);
	for (uint64_t i = 0; i < pages; i++)
		ck_assert_uint_eq(program_frame(pagemap, va + i * FAKE_4K), told[i]);
}

/* New pages, which are looked up, as a driver goes on. */
static void go_on(uint64_t pages)
{
	fake_map(OTHER, 2 * pages * FAKE_4K, NULL, 0, 0);
	for (uint64_t i = 0; i < pages; i++)
		program_frame(pagemap, OTHER + 2 * i * FAKE_4K);
	program_unmap(OTHER, 2 * pages * FAKE_4K);
}

/* realloc() of a large block moves its pages inside libc. */
START_TEST(moved_unseen)
{
	fake.frames_shown = _i < 2;
	fake_map(BASE, 255 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 255);
	fake_move(BASE, 255 * FAKE_4K, ALIAS);
	if (_i % 2)
		fake_map(BASE, 255 * FAKE_4K, NULL, 0, 0);
	go_on(700);
	assert_kept(ALIAS, 255);
	program_unmap(BASE, 255 * FAKE_4K);
	program_unmap(ALIAS, 255 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

/* The old address gets other pages, that are looked up, given back and moved in turn. */
START_TEST(moved_unseen_and_used_again)
{
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 8);
	fake_move(BASE, 8 * FAKE_4K, ALIAS);
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	if (_i == 1)
		for (uint64_t i = 0; i < 8; i++)
			program_frame(pagemap, BASE + i * FAKE_4K);
	if (_i == 2)
		program_discard(BASE, 8 * FAKE_4K);
	if (_i == 3)
		program_move(BASE, 8 * FAKE_4K, BASE + FAKE_1G);
	else
		program_unmap(BASE, 8 * FAKE_4K);
	assert_kept(ALIAS, 8);
	program_sweep();
	assert_kept(ALIAS, 8);
}
END_TEST

/* A huge page, too, and at once. */
START_TEST(huge_page_moved_unseen)
{
	fake_map(BASE, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	look_up(BASE, 4);
	fake_move(BASE, FAKE_2M, ALIAS);
	go_on(200);
	assert_kept(ALIAS, 4);
	ck_assert_uint_eq(store_count(), 1);
	program_unmap(ALIAS, FAKE_2M);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

/*
 * Another process cuts the page out of the file; the second mapping is looked up
 * anew, and the first, of which nobody has heard, is unmapped.
 */
START_TEST(punched_by_another)
{
	struct fake_file *file = fake_file(FAKE_4K, FAKE_4K);
	uint64_t old;

	fake_map(BASE, FAKE_4K, file, 0, 0);
	fake_map(ALIAS, FAKE_4K, file, 0, 0);
	look_up(BASE, 1);
	old = told[0];
	fake_punch(file, 0, FAKE_4K);
	fake_touch(_i ? BASE : ALIAS, FAKE_4K);
	look_up(ALIAS, 1);
	program_unmap(BASE, FAKE_4K);
	assert_kept(ALIAS, 1);
	program_sweep();
	assert_kept(ALIAS, 1);
	ck_assert(!fake_is_pinned(old));
}
END_TEST

/* What is known of a pin needs no right to be carried over. */
START_TEST(rights_given_up)
{
	struct fake_file *file = fake_file(4 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 4 * FAKE_4K, _i % 2 ? file : NULL, 0, 0);
	fake_map(ALIAS, 4 * FAKE_4K, _i % 2 ? file : NULL, 0, 0);
	look_up(BASE, 4);
	fake.rawio = false;
	fake.frames_shown = _i < 2;
	if (_i % 2)
		program_unmap(BASE, 4 * FAKE_4K);
	else
		program_move(BASE, 4 * FAKE_4K, ALIAS);
	fake.rawio = fake.frames_shown = true;
	assert_kept(ALIAS, 4);
	program_sweep();
	assert_kept(ALIAS, 4);
}
END_TEST

/* A private view of the file shows the same page until it is written to. */
START_TEST(view_of_the_page)
{
	struct fake_file *file = fake_file(2 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 2 * FAKE_4K, file, 0, 0);
	look_up(BASE, 2);
	fake_map(ALIAS, 2 * FAKE_4K, file, 0, FAKE_PRIVATE);
	fake_write(ALIAS + FAKE_4K);
	program_unmap(BASE, 2 * FAKE_4K);
	ck_assert(fake_is_pinned(told[0]));
	ck_assert(!fake_is_pinned(told[1]));
	assert_kept(ALIAS, 1);
	program_unmap(ALIAS, 2 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

/* Pages of a private view are copies that nobody else has. */
START_TEST(copies_in_a_view)
{
	struct fake_file *file = fake_file(2 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 2 * FAKE_4K, file, 0, 0);
	fake_map(ALIAS, 2 * FAKE_4K, file, 0, FAKE_PRIVATE);
	look_up(ALIAS, 2);
	program_unmap(BASE, 2 * FAKE_4K);
	assert_kept(ALIAS, 2);
	program_unmap(ALIAS, 2 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

START_TEST(mapped_over_itself)
{
	struct fake_file *file = fake_file(4 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 4 * FAKE_4K, file, 0, 0);
	look_up(BASE, 4);
	memory_leaving(BASE, 4 * FAKE_4K);
	fake_map(BASE, 4 * FAKE_4K, file, 0, 0);
	memory_left(BASE, 4 * FAKE_4K);
	assert_kept(BASE, 4);
	ck_assert_uint_eq(fake.pinned, 1 + 4);
}
END_TEST

/* Nobody has touched it yet: there is no page in the table that would tell. */
START_TEST(mapped_over_itself_untouched)
{
	struct fake_file *file = fake_file(4 * FAKE_4K, FAKE_4K);
	int fd = fake_file_open(file);

	fake_map(BASE, 4 * FAKE_4K, file, 0, 0);
	look_up(BASE, 4);
	memory_leaving_for(BASE, 4 * FAKE_4K, fd, 0);
	fake_map(BASE, 4 * FAKE_4K, file, 0, FAKE_UNTOUCHED);
	memory_left(BASE, 4 * FAKE_4K);
	program_sweep();
	fake_migrate();
	fake_touch(BASE, 4 * FAKE_4K);
	assert_kept(BASE, 4);
	ck_assert_uint_eq(fake.pinned, 1 + 4);
	sys_close(fd);
}
END_TEST

/* Other pages of the same file: those that are at other addresses then keep their pins. */
START_TEST(mapped_over_shifted)
{
	uint64_t size = _i / 2 ? FAKE_2M : FAKE_4K;
	uint64_t offset = _i % 2 ? 3 : 1;
	struct fake_file *file = fake_file(8 * size, size);
	int fd = fake_file_open(file);

	fake_map(BASE, 4 * size, file, 2 * size, 0);
	for (int i = 0; i < 4; i++)
		told[i] = program_frame(pagemap, BASE + i * size);
	memory_leaving_for(BASE, 4 * size, fd, (off_t)(offset * size));
	fake_map(BASE, 4 * size, file, offset * size, FAKE_UNTOUCHED);
	memory_left(BASE, 4 * size);
	ck_assert_uint_eq(fake.pinned, 1 + 3 * size / FAKE_4K);
	fake_migrate();
	fake_touch(BASE, 4 * size);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(fake_is_pinned(told[i]), i != (offset == 3 ? 0 : 3));
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(fake_pfn(BASE + (i + (offset == 1)) * size),
				  told[i + (offset == 3)]);
	sys_close(fd);
}
END_TEST

START_TEST(attached_at_a_rounded_address)
{
	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 2);
	program_attach(BASE + 100, 2 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

/* A segment is known by its number only, and what remap_file_pages() maps by what is there. */
START_TEST(attached_over_itself)
{
	struct fake_file *file = fake_file(4 * FAKE_4K, FAKE_4K);
	int fd = fake_file_open(file);
	struct stat st;

	sys_fstat(fd, &st);
	fake_map(BASE, 4 * FAKE_4K, file, 0, 0);
	look_up(BASE, 4);
	memory_leaving_for_part(BASE, 4 * FAKE_4K, _i ? st.st_ino + 1 : st.st_ino, 0);
	fake_map(BASE, 4 * FAKE_4K, file, 0, FAKE_UNTOUCHED);
	memory_left(BASE, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, _i ? 1 : 1 + 4);
	fake_migrate();
	fake_touch(BASE, 4 * FAKE_4K);
	if (!_i)
		assert_kept(BASE, 4);
	sys_close(fd);
}
END_TEST

START_TEST(remapped_over_itself)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 4 * FAKE_4K, file, 2 * FAKE_4K, 0);
	look_up(BASE, 4);
	memory_leaving_for_part(BASE, 4 * FAKE_4K, 0, 2 * FAKE_4K);
	fake_map(BASE, 4 * FAKE_4K, file, 2 * FAKE_4K, FAKE_UNTOUCHED);
	memory_left(BASE, 4 * FAKE_4K);
	fake_migrate();
	fake_touch(BASE, 4 * FAKE_4K);
	assert_kept(BASE, 4);
}
END_TEST

/* Other pages of the file, or of another one. */
START_TEST(mapped_over_by_others)
{
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);
	struct fake_file *other = _i ? fake_file(8 * FAKE_4K, FAKE_4K) : file;
	uint64_t offset = _i ? 0 : 4 * FAKE_4K;
	int fd = fake_file_open(other);

	fake_map(BASE, 4 * FAKE_4K, file, 0, 0);
	look_up(BASE, 4);
	memory_leaving_for(BASE, 4 * FAKE_4K, fd, (off_t)offset);
	fake_map(BASE, 4 * FAKE_4K, other, offset, FAKE_UNTOUCHED);
	memory_left(BASE, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
	sys_close(fd);
}
END_TEST

/* The kernel moves a page just when it is searched for: it stays pinned. */
START_TEST(on_the_move_while_searched)
{
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 4);
	fake_move(BASE, 4 * FAKE_4K, ALIAS);
	fake.moving = 1000000;
	program_sweep();
	fake.moving = 0;
	ck_assert_uint_eq(fake.pinned, 1 + 4);
	assert_kept(ALIAS, 4);
}
END_TEST

/* A poisoned page has such an entry for good. It keeps nothing pinned that is gone. */
START_TEST(beside_a_poisoned_page)
{
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 4);
	fake_unmap(BASE, 4 * FAKE_4K);
	fake_map(ALIAS, FAKE_4K, NULL, 0, 0);
	fake.moving = 1000000;
	program_sweep();
	fake.moving = 0;
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

/* ---- what it costs to search all memory ---- */

/* Other pages come unseen to where pages were looked up: these are strays then. */
static void make_strays(uint64_t pages)
{
	fake_map(BASE, pages * FAKE_4K, NULL, 0, 0);
	look_up(BASE, pages);
	fake_map(BASE, pages * FAKE_4K, NULL, 0, 0);
	look_up(BASE, pages);
}

static bool is_due(size_t lookups)
{
	struct lock_saved saved = lock_enter();
	bool due = mark_is_due(lookups);

	lock_leave(saved);
	return due;
}

/* It cannot be told: not every munmap() tries again. */
START_TEST(searched_in_vain)
{
	unsigned int scans;

	fake.scan_error = ENOMEM;
	make_strays(200);
	ck_assert_uint_ge(store_strays(), 64);
	scans = fake.scans;
	for (uint64_t i = 0; i < 100; i++)
		program_unmap(BASE + i * FAKE_4K, FAKE_4K);
	ck_assert_uint_le(fake.scans - scans, 1);
	fake.scan_error = 0;
}
END_TEST

/* Mappings without a page are looked at, too. */
START_TEST(searched_in_empty_mappings)
{
	for (uint64_t i = 0; i < 400; i++)
		fake_map(OTHER + 2 * i * FAKE_4K, FAKE_4K, NULL, 0, FAKE_ABSENT);
	make_strays(1);
	program_sweep();
	make_strays(1);
	ck_assert_uint_ge(store_strays(), 1);
	ck_assert(!is_due(100));
	ck_assert(is_due(100));
}
END_TEST

/* There is no memory for it: the next lookup does not try again. */
START_TEST(searched_without_memory)
{
	make_strays(1);
	ck_assert(is_due(1000));
	fake_fail(SYS_mmap, 0, 1, ENOMEM);
	ck_assert(!program_sweep());
	ck_assert(fake_failed());
	ck_assert(!is_due(0));
}
END_TEST

/* open(O_TRUNC) of a file that is mapped in many places: once for all of them. */
START_TEST(searched_once_for_a_file)
{
	struct fake_file *file = fake_file(FAKE_4K, FAKE_4K);
	int fd = fake_file_open(file);

	for (uint64_t i = 0; i < 8; i++)
		fake_map(BASE + 2 * i * FAKE_4K, FAKE_4K, file, 0, 0);
	for (uint64_t i = 0; i < 8; i++)
		program_frame(pagemap, BASE + 2 * i * FAKE_4K);
	fake.scans = 0;
	fake_punch(file, 0, FAKE_4K);
	memory_emptied(fd);
	ck_assert_uint_eq(fake.pinned, 1);
	ck_assert_uint_eq(fake.scans, 8);
	sys_close(fd);
}
END_TEST

/* What was freed unseen is unpinned by and by, with frames hidden as well. */
START_TEST(freed_unseen)
{
	fake.frames_shown = _i == 0;
	for (uint64_t i = 0; i < 8; i++) {
		fake_map(BASE + i * FAKE_2M, 254 * FAKE_4K, NULL, 0, 0);
		look_up(BASE + i * FAKE_2M, 254);
		fake_map(BASE + i * FAKE_2M, 254 * FAKE_4K, NULL, 0, 0);
	}
	for (int i = 0; i < 3000; i++)
		go_on(1);
	ck_assert_uint_lt(fake.pinned, 1 + 16);
}
END_TEST

/* It makes room where RLIMIT_MEMLOCK is used up. */
START_TEST(freed_unseen_at_the_limit)
{
	fake.pin_limit = 101;
	fake_map(BASE, 90 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 90);
	fake_unmap(BASE, 90 * FAKE_4K);
	fake_map(ALIAS, 60 * FAKE_4K, NULL, 0, 0);
	look_up(ALIAS, 60);
	assert_kept(ALIAS, 60);
	ck_assert_ptr_null(strstr(fake.log, "RLIMIT_MEMLOCK"));
}
END_TEST

START_TEST(lowest_addresses)
{
	fake_map(0, 4 * FAKE_4K, NULL, 0, 0);
	look_up(0, 4);
	assert_kept(0, 4);
	program_unmap(0, 4 * FAKE_4K);
	ck_assert_uint_eq(fake.pinned, 1);
}
END_TEST

/* ---- ahead of the lookups ---- */

/* As many pages as were asked for are pinned ahead, by few pins. */
START_TEST(in_sequence)
{
	fake_map(BASE, 512 * FAKE_4K, NULL, 0, 0);
	for (uint64_t i = 0; i < 512; i++) {
		told[i] = program_frame(pagemap, BASE + i * FAKE_4K);
		ck_assert_uint_le(fake.pinned, 1 + 2 * (i + 1));
	}
	ck_assert_uint_lt(store_count(), 24);
	assert_kept(BASE, 512);
	ck_assert_uint_eq(fake.pinned, 1 + 512);
}
END_TEST

/* The next mapping is none of the driver's business, though it begins where this one ends. */
START_TEST(in_sequence_to_the_next_mapping)
{
	for (uint64_t pages = 2; pages <= 32; pages++) {
		fake_map(BASE, pages * FAKE_4K, NULL, 0, 0);
		fake_map(BASE + pages * FAKE_4K, 64 * FAKE_4K, NULL, 0, 0);
		look_up(BASE, pages);
		ck_assert_uint_eq(fake.pinned, 1 + pages);
		program_unmap(BASE, FAKE_2M);
	}
}
END_TEST

static sys_call_fn *kernel;
static uint64_t not_asked; /* from here to page 64 */
static size_t answered;

static long call_looked_on(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret = kernel(nr, a, b, c, d, e, f);

	for (uint64_t va = not_asked; va < BASE + 64 * FAKE_4K; va += FAKE_4K) {
		uint64_t entry = PAGEMAP_PRESENT | fake_pfn(va);

		answered += store_current(va, &entry, 1);
	}
	return ret;
}

/* A lookup by another thread is not answered by what may be unpinned again. */
START_TEST(in_sequence_looked_on)
{
	fake_map(BASE, 64 * FAKE_4K, NULL, 0, FAKE_ABSENT);
	for (uint64_t i = 64; i--;) /* no two frames are neighbours */
		fake_touch(BASE + i * FAKE_4K, FAKE_4K);
	kernel = sys_call;
	sys_call = call_looked_on;
	for (uint64_t i = 0; i < 64; i++) {
		not_asked = BASE + (i + 1) * FAKE_4K;
		told[i] = program_frame(pagemap, BASE + i * FAKE_4K);
	}
	sys_call = kernel;
	ck_assert_uint_eq(answered, 0);
	assert_kept(BASE, 64);
}
END_TEST

/* What nobody asks for in the end is unpinned. */
START_TEST(in_sequence_no_more)
{
	fake_map(BASE, 512 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 100);
	ck_assert_uint_gt(fake.pinned, 1 + 100);
	if (_i)
		look_up(BASE + 300 * FAKE_4K, 2);
	else
		go_on(64);
	ck_assert_uint_le(fake.pinned, _i ? 1 + 100 + 4 : 1 + 100);
}
END_TEST

/* It ends with the mapping, and where pages are not there, or would be copied. */
START_TEST(in_sequence_to_the_end)
{
	static const unsigned int behind[] = {0, FAKE_ABSENT, FAKE_PRIVATE};
	struct fake_file *file = fake_file(8 * FAKE_4K, FAKE_4K);

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	fake_map(BASE + 8 * FAKE_4K, 8 * FAKE_4K, _i == 2 ? file : NULL, 0, behind[_i]);
	look_up(BASE, 8);
	ck_assert_uint_eq(fake.pinned, 1 + 8);
	assert_kept(BASE, 8);
}
END_TEST

/* Not one page too many where the limit is, and it is no limit to those that are asked for. */
START_TEST(in_sequence_at_the_limit)
{
	fake.pin_limit = 1 + 32;
	fake_map(BASE, 64 * FAKE_4K, NULL, 0, 0);
	fake_map(ALIAS, 64 * FAKE_4K, NULL, 0, 0);
	for (uint64_t i = 0; i < 16; i++) {
		program_frame(pagemap, BASE + i * FAKE_4K);
		program_frame(pagemap, ALIAS + 2 * i * FAKE_4K);
	}
	ck_assert_ptr_null(strstr(fake.log, "RLIMIT_MEMLOCK"));
}
END_TEST

START_TEST(in_sequence_up_to_the_limit)
{
	fake.pin_limit = 1 + 24;
	fake_map(BASE, 64 * FAKE_4K, NULL, 0, 0);
	fake_map(ALIAS, 64 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 11);
	for (uint64_t i = 0; i < 13; i++)
		program_frame(pagemap, ALIAS + 2 * i * FAKE_4K);
	assert_kept(BASE, 11);
	ck_assert_ptr_null(strstr(fake.log, "RLIMIT_MEMLOCK"));
}
END_TEST

/* Calls for each of n lookups, of every page or of every other. */
static unsigned int calls_of(uint64_t va, uint64_t n, uint64_t step)
{
	unsigned int before = fake.calls;

	for (uint64_t i = 0; i < n; i++)
		program_frame(pagemap, va + i * step * FAKE_4K);
	return fake.calls - before;
}

/* A lookup of what was pinned ahead takes no more calls than of what is known to be pinned. */
START_TEST(in_sequence_without_calls)
{
	fake_map(BASE, 512 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 48);
	ck_assert_uint_eq(fake.pinned, 1 + 94);
	ck_assert_uint_eq(calls_of(BASE + 48 * FAKE_4K, 46, 1), calls_of(BASE, 46, 1));
	look_up(BASE, 512);
	assert_kept(BASE, 512);
}
END_TEST

/* A driver that touches each page just before it asks does not pay for those behind. */
START_TEST(in_sequence_touched_one_by_one)
{
	unsigned int calls;

	fake_map(BASE, 512 * FAKE_4K, NULL, 0, FAKE_ABSENT);
	fake_map(ALIAS, 1024 * FAKE_4K, NULL, 0, 0);
	for (uint64_t i = 0; i < 100; i++) {
		fake_touch(BASE + i * FAKE_4K, FAKE_4K);
		program_frame(pagemap, BASE + i * FAKE_4K);
	}
	calls = fake.calls;
	for (uint64_t i = 100; i < 400; i++) {
		fake_touch(BASE + i * FAKE_4K, FAKE_4K);
		program_frame(pagemap, BASE + i * FAKE_4K);
	}
	calls = fake.calls - calls;
	ck_assert_uint_le(calls, calls_of(ALIAS, 300, 2) + 300 / 8);
}
END_TEST

/* Pages that come in pieces are pinned ahead all the same. */
START_TEST(in_sequence_touched_by_pieces)
{
	fake_map(BASE, 512 * FAKE_4K, NULL, 0, FAKE_ABSENT);
	for (uint64_t at = 0; at < 512; at += 128) {
		fake_touch(BASE + at * FAKE_4K, 128 * FAKE_4K);
		look_up(BASE + at * FAKE_4K, 128);
	}
	ck_assert_uint_lt(store_count(), 100);
	look_up(BASE, 512);
	assert_kept(BASE, 512);
}
END_TEST

/* What was given back is not taken for pinned ahead, which would be looked for for ever. */
START_TEST(in_sequence_given_back)
{
	uint64_t end;

	fake_map(BASE, 512 * FAKE_4K, NULL, 0, 0);
	look_up(BASE, 48);
	ck_assert_uint_eq(store_next_ahead(0, &end), BASE + 48 * FAKE_4K);
	ck_assert_uint_eq(end, BASE + 94 * FAKE_4K);
	program_unmap(BASE + 48 * FAKE_4K, 46 * FAKE_4K);
	ck_assert_uint_eq(store_next_ahead(0, &end), 0);
	ck_assert_uint_eq(store_asked_ahead(BASE + 48 * FAKE_4K), 0);
	ck_assert_uint_eq(fake.pinned, 1 + 48);
}
END_TEST

/* While one page is unpinned somebody asks for another, which takes no lock. */
static long ask_meanwhile(long nr, long a, long b, long c, long d, long e, long f)
{
	uint64_t va = BASE + 5 * FAKE_4K, entry = PAGEMAP_PRESENT | fake_pfn(va);

	if (nr == SYS_ioctl && b == (long)IOMMU_IOAS_UNMAP)
		ck_assert_uint_eq(store_ask(va, &entry, 1), 1);
	return fake_sys_call(nr, a, b, c, d, e, f);
}

/* It keeps what it was told. */
START_TEST(in_sequence_asked_while_released)
{
	struct lock_saved saved;

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	program_frame(pagemap, BASE + 7 * FAKE_4K);
	saved = lock_enter();
	store_set_ahead(BASE, 7);
	ck_assert_int_eq(pin_add_ahead(BASE, 4 * FAKE_4K, false), 0);
	ck_assert_int_eq(pin_add_ahead(BASE + 4 * FAKE_4K, 3 * FAKE_4K, false), 0);
	sys_call = ask_meanwhile;
	ahead_release();
	sys_call = fake_sys_call;
	lock_leave(saved);
	ck_assert_uint_eq(store_pfn(BASE), 0);
	ck_assert(fake_is_pinned(fake_pfn(BASE + 5 * FAKE_4K)));
	ck_assert_uint_eq(store_pfn(BASE + 5 * FAKE_4K), fake_pfn(BASE + 5 * FAKE_4K));
}
END_TEST

#define BULK (BASE + FAKE_2M - 4 * FAKE_4K)

/* While room is made for the rest of a bulk, by an unpinning, somebody is told of its first page.
 */
static long told_meanwhile(long nr, long a, long b, long c, long d, long e, long f)
{
	uint64_t entry = PAGEMAP_PRESENT | fake_pfn(BULK);

	if (*told)
		ck_assert(fake_is_pinned(*told));
	else if (nr == SYS_ioctl && b == (long)IOMMU_IOAS_UNMAP && store_ask(BULK, &entry, 1))
		*told = entry & PAGEMAP_PFN;
	return fake_sys_call(nr, a, b, c, d, e, f);
}

/* It never goes again, not even for a moment. */
START_TEST(bulk_told_while_room_is_made)
{
	struct lock_saved saved;
	uint64_t entries[8];

	fake.pin_limit = 1 + 1 + 4 + 4;
	fake_map(ALIAS, FAKE_4K, NULL, 0, 0);
	fake_map(OTHER, 4 * FAKE_4K, NULL, 0, 0);
	fake_map(BULK, 8 * FAKE_4K, NULL, 0, 0);
	program_frame(pagemap, ALIAS);
	saved = lock_enter();
	store_set_ahead(OTHER, 4);
	ck_assert_int_eq(pin_add_ahead(OTHER, 4 * FAKE_4K, false), 0);
	lock_leave(saved);
	*told = 0;
	sys_call = told_meanwhile;
	ck_assert_int_eq(program_pread(pagemap, entries, sizeof(entries),
				       (off_t)(BULK / FAKE_4K * sizeof(*entries))),
			 sizeof(entries));
	sys_call = fake_sys_call;
	ck_assert_uint_ne(*told, 0);
	look_up(BULK, 8);
	assert_kept(BULK, 8);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_loop_test(tc, moved_unseen, 0, 4);
	tcase_add_loop_test(tc, moved_unseen_and_used_again, 0, 4);
	tcase_add_test(tc, huge_page_moved_unseen);
	tcase_add_loop_test(tc, punched_by_another, 0, 2);
	tcase_add_loop_test(tc, rights_given_up, 0, 4);
	tcase_add_test(tc, view_of_the_page);
	tcase_add_test(tc, copies_in_a_view);
	tcase_add_test(tc, mapped_over_itself);
	tcase_add_test(tc, mapped_over_itself_untouched);
	tcase_add_loop_test(tc, mapped_over_shifted, 0, 4);
	tcase_add_test(tc, attached_at_a_rounded_address);
	tcase_add_loop_test(tc, attached_over_itself, 0, 2);
	tcase_add_test(tc, remapped_over_itself);
	tcase_add_loop_test(tc, mapped_over_by_others, 0, 2);
	tcase_add_test(tc, on_the_move_while_searched);
	tcase_add_test(tc, beside_a_poisoned_page);
	tcase_add_test(tc, searched_in_empty_mappings);
	tcase_add_test(tc, searched_without_memory);
	tcase_add_loop_test(tc, freed_unseen, 0, 2);
	tcase_add_test(tc, freed_unseen_at_the_limit);
	tcase_add_test(tc, lowest_addresses);
	tcase_add_test(tc, in_sequence);
	tcase_add_test(tc, in_sequence_to_the_next_mapping);
	tcase_add_test(tc, in_sequence_looked_on);
	tcase_add_loop_test(tc, in_sequence_no_more, 0, 2);
	tcase_add_loop_test(tc, in_sequence_to_the_end, 0, 3);
	tcase_add_test(tc, in_sequence_at_the_limit);
	tcase_add_test(tc, in_sequence_up_to_the_limit);
	tcase_add_test(tc, in_sequence_without_calls);
	tcase_add_test(tc, in_sequence_touched_one_by_one);
	tcase_add_test(tc, in_sequence_touched_by_pieces);
	tcase_add_test(tc, in_sequence_given_back);
	tcase_add_test(tc, in_sequence_asked_while_released);
	tcase_add_test(tc, bulk_told_while_room_is_made);
}

Suite *suite_follow(void)
{
	Suite *suite = suite_create("follow");
	TCase *tc = tcase_create("follow");
	TCase *old = tcase_create("follow, before Linux 6.7");

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	tcase_add_test(tc, searched_in_vain);
	tcase_add_test(tc, searched_once_for_a_file);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(old, setup_old, teardown);
	add_tests(old);
	suite_add_tcase(suite, old);
	return suite;
}
