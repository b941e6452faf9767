/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/lock.h"
#include "base/process.h"
#include "fake.h"
#include "iommufd/cdev.h"
#include "iommufd/family.h"
#include "iommufd/idle.h"
#include "iommufd/ioas.h"
#include "pin/pin.h"
#include "program.h"
#include "suites.h"
#include "uapi/iommufd.h"

#define BASE (4 * FAKE_1G)

static struct lock_saved saved;

static void setup(void)
{
	program_setup();
	idle_survey();
	saved = lock_enter();
}

static void teardown(void)
{
	pin_release(0, PIN_VA_LIMIT, NULL);
	ck_assert_uint_eq(store_count(), 0);
	lock_leave(saved);
	program_teardown();
}

/* What pagemap says of a page: the store compares with that. */
static uint64_t entry(uint64_t va)
{
	uint64_t pfn = fake_pfn(va);

	return pfn ? PAGEMAP_PRESENT | pfn : 0;
}

static bool is_current(uint64_t va)
{
	uint64_t e = entry(va);

	return store_current(va, &e, 1) == 1;
}

/* Pinned in the store, under the frame that it has, and in the kernel. */
static void assert_pinned(uint64_t va, uint64_t len)
{
	for (uint64_t end = va + len; va < end; va += FAKE_4K) {
		ck_assert_uint_eq(store_pfn(va), fake_pfn(va));
		ck_assert(fake_is_pinned(fake_pfn(va)));
		ck_assert(is_current(va));
	}
}

static void assert_unpinned(uint64_t va, uint64_t len)
{
	for (uint64_t end = va + len; va < end; va += FAKE_4K) {
		ck_assert_uint_eq(store_pfn(va), 0);
		ck_assert(!fake_is_pinned(fake_pfn(va)));
		ck_assert(!is_current(va));
	}
}

/* Frames that are pinned, the one of the window apart. */
static size_t pinned(void)
{
	return fake.pinned ? fake.pinned - 1 : 0;
}

START_TEST(one_page)
{
	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	ck_assert(!is_current(BASE));
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_uint_eq(store_count(), 1);
	assert_pinned(BASE, FAKE_4K);
	assert_unpinned(BASE + FAKE_4K, FAKE_4K);
	fake_migrate();
	assert_pinned(BASE, FAKE_4K);
	pin_release(BASE, FAKE_4K, NULL);
	assert_unpinned(BASE, FAKE_4K);
	ck_assert_uint_eq(pinned(), 0);
	pin_release(BASE, FAKE_4K, NULL);
}
END_TEST

static bool standing;

/* While it is not decided, nothing is answered by the pin, and nobody takes it for gone. */
static bool look_and_decide(uint64_t va, unsigned int shift, const uint64_t *pages, size_t n)
{
	uint64_t entries[] = {PAGEMAP_PRESENT, PAGEMAP_PRESENT | fake_pfn(va)};

	ck_assert_uint_eq(pages[0] & PAGEMAP_PFN, fake_pfn(va));
	ck_assert(store_any(va, n << shift));
	for (uint64_t i = 0; i < n << shift; i += FAKE_4K)
		for (size_t j = 0; j < 2; j++)
			ck_assert_uint_eq(store_current(va + i, &entries[j], 1), 0);
	return standing;
}

START_TEST(released_unless_it_stands)
{
	const unsigned int shifts[] = {PIN_PAGE_SHIFT, PIN_PMD_SHIFT, PIN_PUD_SHIFT};
	uint64_t size = UINT64_C(1) << shifts[_i], len = _i ? size : 8 * size;

	fake_map(BASE, len, _i ? fake_file(size, size) : NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, len, shifts[_i], false), 0);
	standing = true;
	pin_release(BASE, len, look_and_decide);
	assert_pinned(BASE, _i ? FAKE_2M : len);
	ck_assert_uint_eq(pinned(), len / FAKE_4K);
	standing = false;
	pin_release(BASE, len, look_and_decide);
	assert_unpinned(BASE, _i ? FAKE_2M : len);
	ck_assert_uint_eq(pinned(), 0);
}
END_TEST

/* Over two borders of what one leaf of the store holds. */
START_TEST(bulk)
{
	fake_map(BASE, 3 * FAKE_2M, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE + FAKE_4K, 2 * FAKE_2M + FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	assert_pinned(BASE + FAKE_4K, 2 * FAKE_2M + FAKE_4K);
	ck_assert_uint_eq(store_pfn(BASE), 0);
	ck_assert_uint_eq(store_pfn(BASE + 2 * FAKE_2M + 2 * FAKE_4K), 0);
	ck_assert_uint_eq(pinned(), (2 * FAKE_2M + FAKE_4K) / FAKE_4K);
}
END_TEST

START_TEST(lowest_and_highest_address)
{
	fake_map(16 * FAKE_4K, FAKE_4K, NULL, 0, 0);
	fake_map(FAKE_OWN - FAKE_4K, FAKE_4K, NULL, 0, 0);
	fake_map(PIN_VA_LIMIT, FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(16 * FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_int_eq(pin_add(FAKE_OWN - FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	assert_pinned(16 * FAKE_4K, FAKE_4K);
	assert_pinned(FAKE_OWN - FAKE_4K, FAKE_4K);
	ck_assert_int_eq(pin_add(PIN_VA_LIMIT, FAKE_4K, PIN_PAGE_SHIFT, false), -EFAULT);
	ck_assert_uint_eq(store_pfn(PIN_VA_LIMIT), 0);
	ck_assert(!store_any(PIN_VA_LIMIT, FAKE_4K));
	ck_assert(!is_current(PIN_VA_LIMIT));
}
END_TEST

/* 2 MiB and 1 GiB: one pin of one page, and no part of it goes alone. */
START_TEST(huge)
{
	uint64_t size = _i ? FAKE_1G : FAKE_2M;
	unsigned int shift = _i ? PIN_PUD_SHIFT : PIN_PMD_SHIFT;
	uint64_t inside = BASE + size / 2 + 5 * FAKE_4K;

	fake_map(BASE, size, fake_file(size, size), 0, 0);
	ck_assert_int_eq(pin_add(BASE, size, shift, true), 0);
	ck_assert_uint_eq(store_count(), 1);
	ck_assert_uint_eq(pinned(), size / FAKE_4K);
	ck_assert_uint_eq(store_pfn(inside), fake_pfn(inside));
	ck_assert_uint_eq(store_pfn(BASE + size - FAKE_4K), fake_pfn(BASE + size - FAKE_4K));
	ck_assert(is_current(inside));
	ck_assert_uint_eq(store_pfn(BASE + size), 0);
	pin_release(BASE, size - FAKE_4K, NULL);
	pin_release(inside, FAKE_4K, NULL);
	ck_assert_uint_eq(pinned(), size / FAKE_4K);
	pin_release(BASE, size, NULL);
	ck_assert_uint_eq(pinned(), 0);
	ck_assert_uint_eq(store_pfn(inside), 0);
}
END_TEST

START_TEST(several_huge_at_once)
{
	fake_map(BASE, 4 * FAKE_2M, fake_file(4 * FAKE_2M, FAKE_2M), 0, 0);
	ck_assert_int_eq(pin_add(BASE, 4 * FAKE_2M, PIN_PMD_SHIFT, true), 0);
	ck_assert_uint_eq(store_count(), 4);
	pin_release(BASE + FAKE_2M, FAKE_2M, NULL);
	ck_assert_uint_eq(store_count(), 3);
	assert_unpinned(BASE + FAKE_2M, FAKE_2M);
	assert_pinned(BASE, FAKE_2M);
	assert_pinned(BASE + 2 * FAKE_2M, 2 * FAKE_2M);
}
END_TEST

/* A place where huge pages were can have small ones later, and the reverse. */
START_TEST(sizes_take_turns)
{
	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_2M, PIN_PAGE_SHIFT, false), 0);
	pin_release(BASE, FAKE_2M, NULL);
	fake_map(BASE, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_2M, PIN_PMD_SHIFT, true), 0);
	assert_pinned(BASE, FAKE_2M);
	pin_release(BASE, FAKE_2M, NULL);
	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_2M, PIN_PAGE_SHIFT, false), 0);
	assert_pinned(BASE, FAKE_2M);
}
END_TEST

/* Each part of one map of 16 pages: what is outside stays pinned, under the same frames. */
START_TEST(partial_release)
{
	const uint64_t pages = 16;

	fake_map(BASE, pages * FAKE_4K, NULL, 0, 0);
	for (uint64_t from = 0; from < pages; from++) {
		for (uint64_t to = from + 1; to <= pages; to++) {
			uint64_t hole = (to - from) * FAKE_4K;

			ck_assert_int_eq(pin_add(BASE, pages * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
			pin_release(BASE + from * FAKE_4K, hole, NULL);
			assert_pinned(BASE, from * FAKE_4K);
			assert_unpinned(BASE + from * FAKE_4K, hole);
			assert_pinned(BASE + to * FAKE_4K, (pages - to) * FAKE_4K);
			ck_assert_uint_eq(store_count(), (from > 0) + (to < pages));
			pin_release(BASE, pages * FAKE_4K, NULL);
			ck_assert_uint_eq(pinned(), 0);
			ck_assert_uint_eq(store_count(), 0);
		}
	}
}
END_TEST

START_TEST(read_only)
{
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, 4 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	assert_pinned(BASE, 4 * FAKE_4K);
	pin_release(BASE + FAKE_4K, FAKE_4K, NULL);
	assert_pinned(BASE, FAKE_4K);
	assert_pinned(BASE + 2 * FAKE_4K, 2 * FAKE_4K);
}
END_TEST

START_TEST(address_is_the_one_after_the_pin)
{
	uint64_t before;

	fake_map(BASE, FAKE_4K, NULL, 0, FAKE_COPIED);
	before = fake_pfn(BASE);
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_uint_ne(store_pfn(BASE), before);
	assert_pinned(BASE, FAKE_4K);
}
END_TEST

START_TEST(what_cannot_be_pinned)
{
	fake_map(BASE, FAKE_4K, NULL, 0, FAKE_PFNMAP);
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), -EFAULT);
	ck_assert_int_eq(pin_add(BASE + FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false), -EFAULT);
	ck_assert_uint_eq(store_count(), 0);
	ck_assert_uint_eq(pinned(), 0);
}
END_TEST

START_TEST(limit_is_enomem)
{
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	fake.pin_limit = 9;
	ck_assert_int_eq(pin_add(BASE, 8 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_int_eq(pin_add(BASE + 8 * FAKE_4K, 8 * FAKE_4K, PIN_PAGE_SHIFT, false), -ENOMEM);
	assert_pinned(BASE, 8 * FAKE_4K);
	assert_unpinned(BASE + 8 * FAKE_4K, 8 * FAKE_4K);
}
END_TEST

/* Memory for the store, and the question for the address, can fail in the middle. */
START_TEST(failed_add_leaves_nothing)
{
	static const struct {
		long nr;
		unsigned int cmd;
		int error;
	} calls[] = {
		{SYS_mmap, 0, ENOMEM},
		{SYS_madvise, 0, EINVAL},
		{SYS_openat, 0, EMFILE},
		{SYS_ioctl, IOMMU_IOAS_MAP, ENOMEM},
		{SYS_ioctl, IOMMU_IOAS_NOIOMMU_GET_PA, ENOENT},
	};
	int ret;

	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	for (unsigned int n = 1;; n++) {
		lock_leave(saved);
		idle_survey();
		saved = lock_enter();
		fake_fail(calls[_i].nr, calls[_i].cmd, n, calls[_i].error);
		ret = pin_add(BASE, 16 * FAKE_4K, PIN_PAGE_SHIFT, false);
		if (!fake_failed())
			break;
		/* A family can be done without. */
		if (!ret)
			pin_release(BASE, 16 * FAKE_4K, NULL);
		for (int i = 0; i < 16; i++)
			ck_assert_uint_eq(store_pfn(BASE + (uint64_t)i * FAKE_4K), 0);
		ck_assert_uint_le(fake.pinned, 1);
		ck_assert_uint_eq(store_count(), 0);
	}
	ck_assert_int_eq(ret, 0);
	assert_pinned(BASE, 16 * FAKE_4K);
}
END_TEST

/* Some of the pages are known, and not yet whether the map stays. */
static long tell_nobody(long nr, long a, long b, long c, long d, long e, long f)
{
	ck_assert(!is_current(BASE));
	return fake_sys_call(nr, a, b, c, d, e, f);
}

START_TEST(failed_add_tells_nobody)
{
	/* Frames that are no neighbours: each is asked for. */
	for (uint64_t i = 0; i < 4; i++)
		fake_map(BASE + (3 - i) * FAKE_4K, FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	pin_release(BASE, FAKE_4K, NULL);
	fake_fail(SYS_ioctl, IOMMU_IOAS_NOIOMMU_GET_PA, 3, EPERM);
	fake.frames_shown = false;
	sys_call = tell_nobody;
	ck_assert_int_eq(pin_add(BASE, 4 * FAKE_4K, PIN_PAGE_SHIFT, false), -EPERM);
	sys_call = fake_sys_call;
	ck_assert(fake_failed());
	assert_unpinned(BASE, 4 * FAKE_4K);
}
END_TEST

/*
 * No memory for the copies that a partial release needs: the pages that stay
 * mapped must stay pinned, and those that do not may.
 */
START_TEST(failed_partial_release_keeps_the_rest)
{
	for (unsigned int n = 1; n < 10; n++) {
		struct pin pin;
		uint64_t at = 0;
		int rounds = 0;

		fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
		ck_assert_int_eq(pin_add(BASE, 16 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
		fake_fail(SYS_ioctl, IOMMU_IOAS_COPY, n, ENOMEM);
		pin_release(BASE + 4 * FAKE_4K, 4 * FAKE_4K, NULL);
		fake_failed();
		for (uint64_t i = 0; i < 16; i += i == 3 ? 5 : 1)
			ck_assert(fake_is_pinned(fake_pfn(BASE + i * FAKE_4K)));
		/* Whatever the store thinks of it, it does not run in circles. */
		for (; store_next(at, &pin); at = pin.va + pin.len) {
			ck_assert_uint_gt(pin.va + pin.len, at);
			ck_assert_uint_ge(pin.va, BASE);
			ck_assert_int_lt(++rounds, 17);
		}
		pin_release(BASE, 16 * FAKE_4K, NULL);
		ck_assert_uint_eq(store_pfn(BASE), 0);
		ck_assert_uint_eq(store_pfn(BASE + 15 * FAKE_4K), 0);
		ck_assert_uint_eq(store_count(), 0);
		/* What could not be unpinned is, at the latest, with the process's iommufd. */
		sys_close(ioas_fd());
		ck_assert(!ioas_check());
	}
}
END_TEST

START_TEST(any)
{
	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	ck_assert(!store_any(0, PIN_VA_LIMIT));
	ck_assert_int_eq(pin_add(BASE + 8 * FAKE_4K, 4 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert(store_any(0, PIN_VA_LIMIT));
	ck_assert(store_any(BASE + 8 * FAKE_4K, 1));
	ck_assert(store_any(BASE + 11 * FAKE_4K + 17, 1));
	ck_assert(store_any(BASE, FAKE_2M));
	ck_assert(!store_any(BASE + 12 * FAKE_4K, FAKE_2M));
	ck_assert(!store_any(BASE, 8 * FAKE_4K));
	ck_assert(!store_any(0, FAKE_4K));
	ck_assert(!store_any(BASE + 9 * FAKE_4K, 0));
}
END_TEST

START_TEST(next)
{
	struct pin pin;

	fake_map(BASE, FAKE_2M, NULL, 0, 0);
	fake_map(BASE + FAKE_1G, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	ck_assert(!store_next(0, &pin));
	ck_assert_int_eq(pin_add(BASE + FAKE_4K, 2 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_int_eq(pin_add(BASE + 3 * FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, true), 0);
	ck_assert_int_eq(pin_add(BASE + FAKE_1G, FAKE_2M, PIN_PMD_SHIFT, true), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert(store_next(i ? BASE + 2 * FAKE_4K : 0, &pin));
		ck_assert_uint_eq(pin.va, BASE + FAKE_4K);
		ck_assert_uint_eq(pin.len, 2 * FAKE_4K);
		ck_assert_uint_eq(pin.shift, PIN_PAGE_SHIFT);
		ck_assert(!pin.shared);
	}
	ck_assert(store_next(pin.va + pin.len, &pin));
	ck_assert_uint_eq(pin.va, BASE + 3 * FAKE_4K);
	ck_assert_uint_eq(pin.len, FAKE_4K);
	ck_assert(pin.shared);
	ck_assert(store_next(pin.va + pin.len, &pin));
	ck_assert_uint_eq(pin.va, BASE + FAKE_1G);
	ck_assert_uint_eq(pin.len, FAKE_2M);
	ck_assert_uint_eq(pin.shift, PIN_PMD_SHIFT);
	ck_assert(!store_next(pin.va + pin.len, &pin));
	ck_assert(!store_next(PIN_VA_LIMIT, &pin));
}
END_TEST

/* The pages of [BASE, BASE + 16 pages) also at to, which lies anyhow in its leaf. */
static void assert_row(uint64_t from, size_t most, const struct store_row *expected)
{
	struct store_row row;

	ck_assert(store_next_row(from, most, &row));
	ck_assert_uint_eq(row.va, expected->va);
	ck_assert_uint_eq(row.shift, expected->shift);
	ck_assert_uint_eq(row.pages, expected->pages);
	ck_assert_uint_eq(row.pinned, expected->pinned);
}

/* Two neighbours, a small gap, one, a large gap, one; the end of a leaf; a huge page. */
START_TEST(rows)
{
	const uint64_t pages[] = {3, 4, 10, 100, 510, 511, 512};
	const uint64_t large = BASE + 2 * FAKE_2M;
	struct store_row row;

	ck_assert(!store_next_row(0, 512, &row));
	fake_map(BASE, 2 * FAKE_2M, NULL, 0, 0);
	fake_map(large, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		pin_add(BASE + pages[i] * FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false);
	pin_add(large, FAKE_2M, PIN_PMD_SHIFT, true);
	assert_row(0, 512, &(struct store_row){BASE + 3 * FAKE_4K, PIN_PAGE_SHIFT, 8, 3});
	assert_row(0, 2, &(struct store_row){BASE + 3 * FAKE_4K, PIN_PAGE_SHIFT, 2, 2});
	assert_row(BASE + 4 * FAKE_4K, 512,
		   &(struct store_row){BASE + 4 * FAKE_4K, PIN_PAGE_SHIFT, 7, 2});
	assert_row(BASE + 11 * FAKE_4K, 512,
		   &(struct store_row){BASE + 100 * FAKE_4K, PIN_PAGE_SHIFT, 1, 1});
	assert_row(BASE + 101 * FAKE_4K, 512,
		   &(struct store_row){BASE + 510 * FAKE_4K, PIN_PAGE_SHIFT, 2, 2});
	assert_row(BASE + FAKE_2M, 512, &(struct store_row){BASE + FAKE_2M, PIN_PAGE_SHIFT, 1, 1});
	assert_row(large + FAKE_4K, 512, &(struct store_row){large, PIN_PMD_SHIFT, 1, 1});
	ck_assert(!store_next_row(large + FAKE_2M, 512, &row));
}
END_TEST

START_TEST(differs)
{
	const uint64_t large = BASE + FAKE_2M;
	uint64_t entries[8];

	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	fake_map(large, FAKE_2M, fake_file(FAKE_2M, FAKE_2M), 0, 0);
	pin_add(BASE + 2 * FAKE_4K, 3 * FAKE_4K, PIN_PAGE_SHIFT, false);
	pin_add(large, FAKE_2M, PIN_PMD_SHIFT, true);
	for (size_t i = 0; i < 8; i++)
		entries[i] = entry(BASE + i * FAKE_4K);
	ck_assert_uint_eq(store_differs(BASE, entries, 8), 8);
	/* Of what is not pinned it does not matter. */
	entries[1] = entries[6] = 0;
	ck_assert_uint_eq(store_differs(BASE, entries, 8), 8);
	entries[4] = 0;
	ck_assert_uint_eq(store_differs(BASE, entries, 8), 4);
	entries[3]++;
	ck_assert_uint_eq(store_differs(BASE, entries, 8), 3);
	ck_assert_uint_eq(store_differs(BASE + 4 * FAKE_4K, entries + 4, 4), 0);
	ck_assert_uint_eq(store_differs(BASE + 5 * FAKE_4K, entries + 5, 3), 3);
	entries[0] = entry(large);
	ck_assert_uint_eq(store_differs(large, entries, 1), 1);
	entries[0]++;
	ck_assert_uint_eq(store_differs(large, entries, 1), 0);
	ck_assert_uint_eq(store_differs(FAKE_1G, entries, 1), 1);
}
END_TEST

START_TEST(copy)
{
	const uint64_t offsets[] = {0, 5 * FAKE_4K, FAKE_2M - 8 * FAKE_4K, FAKE_2M - FAKE_4K};
	struct fake_file *file = fake_file(16 * FAKE_4K, FAKE_4K);
	uint64_t to = BASE + 64 * FAKE_2M + offsets[_i];

	fake_map(BASE, 16 * FAKE_4K, file, 0, 0);
	fake_map(to, 16 * FAKE_4K, file, 0, 0);
	ck_assert_int_eq(pin_add(BASE, 16 * FAKE_4K, PIN_PAGE_SHIFT, true), 0);
	ck_assert_int_eq(pin_copy(BASE, 16 * FAKE_4K, to), 0);
	assert_pinned(BASE, 16 * FAKE_4K);
	assert_pinned(to, 16 * FAKE_4K);
	ck_assert_uint_eq(pinned(), 16);
	pin_release(BASE, 16 * FAKE_4K, NULL);
	assert_pinned(to, 16 * FAKE_4K);
	for (uint64_t i = 0; i < 16; i += 2)
		pin_release(to + i * FAKE_4K, FAKE_4K, NULL);
	for (uint64_t i = 0; i < 16; i++)
		ck_assert_uint_eq(store_pfn(to + i * FAKE_4K),
				  i % 2 ? fake_pfn(to + i * FAKE_4K) : 0);
	ck_assert_uint_eq(pinned(), 8);
	pin_release(to, 16 * FAKE_4K, NULL);
	ck_assert_uint_eq(pinned(), 0);
}
END_TEST

START_TEST(copy_of_a_part)
{
	fake_map(BASE, 16 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, 16 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_int_eq(pin_copy(BASE + 4 * FAKE_4K, 4 * FAKE_4K, BASE + FAKE_2M), 0);
	for (uint64_t i = 0; i < 4; i++)
		ck_assert_uint_eq(store_pfn(BASE + FAKE_2M + i * FAKE_4K),
				  fake_pfn(BASE + (4 + i) * FAKE_4K));
	ck_assert_uint_eq(store_pfn(BASE + FAKE_2M + 4 * FAKE_4K), 0);
	ck_assert_uint_eq(pinned(), 16);
}
END_TEST

START_TEST(copy_over_another_pin)
{
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	fake_map(BASE + FAKE_2M, 8 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, 4 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_int_eq(pin_add(BASE + FAKE_2M, 8 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_int_eq(pin_copy(BASE, 4 * FAKE_4K, BASE + FAKE_2M + 2 * FAKE_4K), 0);
	ck_assert_uint_eq(store_pfn(BASE + FAKE_2M + 2 * FAKE_4K), fake_pfn(BASE));
	assert_pinned(BASE + FAKE_2M, 2 * FAKE_4K);
	assert_pinned(BASE + FAKE_2M + 6 * FAKE_4K, 2 * FAKE_4K);
	/* Where these are now is not known. */
	ck_assert_uint_eq(store_strays(), 4);
	ck_assert_uint_eq(pinned(), 12);
	pin_drop_strays(STORE_STRAYS + FAKE_2M);
	ck_assert_uint_eq(pinned(), 8);
}
END_TEST

START_TEST(copy_of_huge)
{
	struct fake_file *file = fake_file(FAKE_2M, FAKE_2M);

	fake_map(BASE, FAKE_2M, file, 0, 0);
	fake_map(BASE + FAKE_1G, FAKE_2M, file, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_2M, PIN_PMD_SHIFT, true), 0);
	ck_assert_int_eq(pin_copy(BASE, FAKE_2M, BASE + FAKE_1G), 0);
	pin_release(BASE, FAKE_2M, NULL);
	assert_pinned(BASE + FAKE_1G, FAKE_2M);
}
END_TEST

START_TEST(probe)
{
	uint64_t entries[8];

	fake.frames_shown = false;
	fake_map(BASE, 8 * FAKE_4K, NULL, 0, 0);
	for (size_t n = 1; n <= 8; n++) {
		memset(entries, 0, sizeof(entries));
		ck_assert_int_eq(pin_probe(BASE, entries, n), 0);
		for (size_t i = 0; i < 8; i++)
			ck_assert_uint_eq(entries[i], i < n ? fake_pfn(BASE + i * FAKE_4K) : 0);
		ck_assert_uint_eq(pinned(), 0);
	}
	ck_assert_int_eq(pin_probe(BASE + 7 * FAKE_4K, entries, 2), -EFAULT);
}
END_TEST

START_TEST(new_iommufd_forgets_the_old)
{
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, 4 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	sys_close(ioas_fd());
	ck_assert_uint_eq(fake.pinned, 0);
	ck_assert_int_eq(pin_add(BASE + 2 * FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false), -EBADF);
	ck_assert(!ioas_check());
	ck_assert_int_eq(pin_add(BASE + 2 * FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	assert_unpinned(BASE, 2 * FAKE_4K);
	assert_pinned(BASE + 2 * FAKE_4K, FAKE_4K);
	ck_assert_uint_eq(store_count(), 1);
}
END_TEST

/*
 * The child has the parent's iommufd, not its pins, and pins the same addresses
 * beside them; also where a PID namespace gives it the parent's number.
 */
START_TEST(window_per_process)
{
	pid_t child;
	int status;

	fake.pid = 4711;
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, 4 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	/* The library's own handlers take the lock around a fork(). */
	lock_leave(saved);
	child = fork();
	saved = lock_enter();
	if (!child) {
		bool ok = !store_count() && !store_pfn(BASE) && !store_size();

		if (_i)
			fake.pid = 4712;
		ok &= !pin_add(BASE, 4 * FAKE_4K, PIN_PAGE_SHIFT, false) && store_count() == 1 &&
		      store_pfn(BASE) == fake_pfn(BASE);
		pin_release(BASE, 4 * FAKE_4K, NULL);
		/* The parent's. */
		ok &= fake_is_pinned(fake_pfn(BASE));
		_exit(!ok);
	}
	ck_assert_int_gt(child, 0);
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	assert_pinned(BASE, 4 * FAKE_4K);
}
END_TEST

/*
 * Others of the family, as raw calls: an open file of the node with a lock on
 * the number, and maps in the window of the number.
 */
static int relative_born(int number)
{
	uint64_t identity;
	struct flock range = {.l_type = F_WRLCK, .l_len = 1};
	int fd = sys_open("/dev/iommu", O_RDWR);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ioas_identity(&identity), 0);
	range.l_start = CDEV_LOCKS + (off_t)(identity * FAMILY_LOCKS) + number;
	ck_assert_int_eq(sys_fcntl(fd, F_OFD_SETLK, (long)&range), 0);
	return fd;
}

static void relative_pins(int number, uint64_t va)
{
	ck_assert_int_eq(ioas_map(va, FAKE_4K, ((uint64_t)number << 49) + va), 0);
}

static void assert_is_pinned(uint64_t va, int page, bool is)
{
	ck_assert_int_eq(fake_is_pinned(fake_pfn(va + (uint64_t)page * FAKE_4K)), is);
}

START_TEST(pins_of_the_dead)
{
	const int numbers[] = {2, 3, 7, FAMILY_LAST};
	int fds[4];

	fake_map(BASE, 5 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert(!pin_release_gone());
	for (int i = 0; i < 4; i++) {
		fds[i] = relative_born(numbers[i]);
		relative_pins(numbers[i], BASE + (uint64_t)(i + 1) * FAKE_4K);
	}
	ck_assert(!pin_release_gone());
	for (int i = 0; i < 4; i++) {
		int dying = (i + _i) % 4;

		assert_is_pinned(BASE, dying + 1, true);
		sys_close(fds[dying]);
		ck_assert(pin_release_gone());
		assert_is_pinned(BASE, dying + 1, false);
	}
	ck_assert(!pin_release_gone());
	assert_pinned(BASE, FAKE_4K);
}
END_TEST

/* Of those who never pinned, nothing is left, and no file or page is kept to find out. */
START_TEST(nobody_has_pinned)
{
	ck_assert_int_eq(backend->ready(), 0);
	ck_assert(!pin_release_gone());
	ck_assert_uint_eq(fake.pinned, 0);
	ck_assert(!ioas_has_identity());
}
END_TEST

/* While another process counts the dead, a pin can wait. */
START_TEST(turns_are_taken)
{
	int other;

	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	relative_pins(2, BASE + FAKE_4K);
	other = relative_born(FAMILY_LAST + 2);
	ck_assert(!pin_release_gone());
	sys_close(other);
	ck_assert(pin_release_gone());
	ck_assert(!fake_is_pinned(fake_pfn(BASE + FAKE_4K)));
}
END_TEST

/* What the dead have pinned counts against the limit of the living. */
START_TEST(limit_used_up_by_the_dead)
{
	fake_map(BASE, 4 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	relative_pins(2, BASE + FAKE_4K);
	fake.pin_limit = fake.pinned;
	ck_assert_int_eq(pin_add(BASE + 2 * FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	ck_assert_int_eq(pin_add(BASE + 3 * FAKE_4K, FAKE_4K, PIN_PAGE_SHIFT, false), -ENOMEM);
	assert_pinned(BASE, FAKE_4K);
}
END_TEST

/* A child takes the window of one that is dead, and what that left there goes. */
START_TEST(window_of_the_dead)
{
	pid_t child;
	int status;

	fake_map(BASE, 2 * FAKE_4K, NULL, 0, 0);
	ck_assert_int_eq(pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
	relative_pins(2, BASE + FAKE_4K);
	/* Its claim to the window. */
	ck_assert_int_eq(ioas_map(FAKE_OWN, FAKE_4K, (UINT64_C(3) << 49) - FAKE_4K), 0);
	lock_leave(saved);
	child = fork();
	saved = lock_enter();
	if (!child) {
		bool ok = !pin_add(BASE, FAKE_4K, PIN_PAGE_SHIFT, false) && store_count() == 1;

		ok &= !fake_is_pinned(fake_pfn(BASE + FAKE_4K));
		pin_release(BASE, FAKE_4K, NULL);
		ok &= fake_is_pinned(fake_pfn(BASE));
		_exit(!ok);
	}
	ck_assert_int_gt(child, 0);
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	ioas_unmap(UINT64_C(2) << 49, UINT64_C(1) << 49);
}
END_TEST

/* One page in each 2 MiB needs one leaf each; used over and over, they are used again. */
START_TEST(store_is_bounded)
{
	const uint64_t leaves = 256;
	size_t size = 0;

	fake_map(BASE, leaves * FAKE_2M, NULL, 0, FAKE_ABSENT);
	for (int round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < leaves; i++) {
			uint64_t va = BASE + i * FAKE_2M + (uint64_t)round * FAKE_4K;

			ck_assert_int_eq(pin_add(va, FAKE_4K, PIN_PAGE_SHIFT, false), 0);
		}
		if (!round)
			size = store_size();
		ck_assert_uint_eq(store_size(), size);
		pin_release(BASE, leaves * FAKE_2M, NULL);
	}
	ck_assert_uint_le(size, leaves * FAKE_4K + 256 * FAKE_4K);
}
END_TEST

/* ---- reading without the lock ---- */

static _Atomic(bool) stop;

/* Nothing that is read while leaves come and go may ever pass for a page that is not pinned. */
static void *read_on(void *arg)
{
	const uint64_t wrong[2] = {PAGEMAP_PRESENT | PAGEMAP_PFN, PAGEMAP_PRESENT};
	unsigned long *passed = arg;

	while (!stop) {
		for (uint64_t i = 0; i < 8; i++) {
			*passed += store_current(BASE + i * FAKE_2M, wrong, 2);
			store_any(BASE + i * FAKE_2M, FAKE_2M);
		}
	}
	return NULL;
}

START_TEST(readers_need_no_lock)
{
	unsigned long passed = 0;
	pthread_t reader;

	fake_map(BASE, 8 * FAKE_2M, NULL, 0, FAKE_ABSENT);
	stop = false;
	ck_assert_int_eq(pthread_create(&reader, NULL, read_on, &passed), 0);
	for (int round = 0; round < 500; round++) {
		uint64_t va = BASE + (uint64_t)(round % 8) * FAKE_2M;

		pin_release(va, FAKE_2M, NULL);
		ck_assert_int_eq(pin_add(va, 2 * FAKE_4K, PIN_PAGE_SHIFT, false), 0);
		if (round % 8 > 4)
			pin_release(BASE, 8 * FAKE_2M, NULL);
	}
	stop = true;
	pthread_join(reader, NULL);
	ck_assert_uint_eq(passed, 0);
}
END_TEST

/* ---- against a model ---- */

#define PAGES  1536 /* three leaves; the one in the middle is made of huge pages at times */
#define ROUNDS 20000

static uint64_t model[PAGES]; /* the frame that is pinned, 0: none */
static bool model_huge;

static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static uint64_t page_va(uint64_t page)
{
	return BASE + page * FAKE_4K;
}

static bool in_huge(uint64_t page)
{
	return model_huge && page >= 512 && page < 1024;
}

/* The memory in the middle changes its kind; what was pinned of it goes before. */
static void model_remap(void)
{
	pin_release(page_va(512), FAKE_2M, NULL);
	memset(model + 512, 0, 512 * sizeof(*model));
	model_huge = !model_huge;
	fake_map(page_va(512), FAKE_2M, model_huge ? fake_file(FAKE_2M, FAKE_2M) : NULL, 0, 0);
}

static void model_add(uint64_t first, uint64_t n)
{
	unsigned int shift = PIN_PAGE_SHIFT;

	if (in_huge(first)) {
		shift = PIN_PMD_SHIFT;
		first = 512;
		n = 512;
	}
	for (uint64_t i = 0; i < n; i++)
		if (model[first + i] || in_huge(first + i) != (shift == PIN_PMD_SHIFT))
			n = i;
	if (!n)
		return;
	ck_assert_int_eq(pin_add(page_va(first), n * FAKE_4K, shift, model_huge), 0);
	for (uint64_t i = 0; i < n; i++)
		model[first + i] = fake_pfn(page_va(first + i));
}

static void model_release(uint64_t first, uint64_t n)
{
	pin_release(page_va(first), n * FAKE_4K, NULL);
	for (uint64_t i = 0; i < n; i++)
		if (!in_huge(first + i) || (first <= 512 && first + n >= 1024))
			model[first + i] = 0;
}

/* The program's memory is replaced where nobody saw it: the pins stay what they were. */
static void model_replace(uint64_t first, uint64_t n)
{
	if (first >= 512 && first < 1024)
		return;
	if (first < 512 && n > 512 - first)
		n = 512 - first;
	fake_discard(page_va(first), n * FAKE_4K);
	fake_touch(page_va(first), n * FAKE_4K);
}

static bool needs_nothing(uint64_t e, uint64_t pinned_pfn)
{
	if (e & PAGEMAP_PRESENT)
		return pinned_pfn && (e & PAGEMAP_PFN) == pinned_pfn;
	/* Swapped out it is no matter; on the move it may be back in a moment. */
	return !(e & PAGEMAP_SWAPPED) || (e & 31) < 24;
}

/* As the kernel would tell, with some entries absent and some wrong. */
static void assert_current(uint64_t first, uint64_t n)
{
	uint64_t entries[PAGES];
	size_t expected = n;

	for (uint64_t i = 0; i < n; i++) {
		entries[i] = model[first + i] | PAGEMAP_PRESENT;
		if (!model[first + i])
			entries[i] = random_below(64) ? 0 : entry(page_va(first + i));
		if (!random_below(200))
			entries[i] ^= 1 + random_below(1000);
		if (!random_below(50))
			entries[i] &= ~PAGEMAP_PRESENT;
		entries[i] |= (uint64_t)random_below(128) << 55;
	}
	for (uint64_t i = n; i-- > 0;)
		if (!needs_nothing(entries[i], model[first + i]))
			expected = i;
	ck_assert_uint_eq(store_current(page_va(first), entries, n), expected);
}

static void assert_model(void)
{
	size_t n = 0;

	for (uint64_t i = 0; i < PAGES; i++) {
		ck_assert_uint_eq(store_pfn(page_va(i)), model[i]);
		ck_assert(!model[i] || fake_is_pinned(model[i]));
		n += !!model[i];
	}
	ck_assert_uint_eq(pinned(), n);
}

START_TEST(model_and_store_agree)
{
	random_state = (uint32_t)_i + 1;
	memset(model, 0, sizeof(model));
	model_huge = false;
	fake_map(BASE, PAGES * FAKE_4K, NULL, 0, 0);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t first = random_below(PAGES);
		uint64_t n = 1 + random_below(random_below(4) ? 16 : (uint32_t)(PAGES - first));

		if (n > PAGES - first)
			n = PAGES - first;
		switch (random_below(8)) {
		case 0:
		case 1:
			model_add(first, n);
			break;
		case 2:
			model_release(first, n);
			break;
		case 3:
			model_replace(first, n);
			break;
		default:
			assert_current(first, n);
		}
		if (round % 512 == 0)
			assert_model();
		if (round % 4096 == 4095)
			model_remap();
	}
	assert_model();
}
END_TEST

Suite *suite_pin(void)
{
	Suite *suite = suite_create("pin");
	TCase *tc = tcase_create("pin");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_page);
	tcase_add_loop_test(tc, released_unless_it_stands, 0, 3);
	tcase_add_test(tc, bulk);
	tcase_add_test(tc, lowest_and_highest_address);
	tcase_add_loop_test(tc, huge, 0, 2);
	tcase_add_test(tc, several_huge_at_once);
	tcase_add_test(tc, sizes_take_turns);
	tcase_add_test(tc, partial_release);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, address_is_the_one_after_the_pin);
	tcase_add_test(tc, what_cannot_be_pinned);
	tcase_add_test(tc, limit_is_enomem);
	tcase_add_loop_test(tc, failed_add_leaves_nothing, 0, 5);
	tcase_add_test(tc, failed_add_tells_nobody);
	tcase_add_test(tc, failed_partial_release_keeps_the_rest);
	tcase_add_test(tc, any);
	tcase_add_test(tc, next);
	tcase_add_test(tc, rows);
	tcase_add_test(tc, differs);
	tcase_add_loop_test(tc, copy, 0, 4);
	tcase_add_test(tc, copy_of_a_part);
	tcase_add_test(tc, copy_over_another_pin);
	tcase_add_test(tc, copy_of_huge);
	tcase_add_loop_test(tc, probe, 0, 2);
	tcase_add_test(tc, new_iommufd_forgets_the_old);
	tcase_add_loop_test(tc, window_per_process, 0, 2);
	tcase_add_loop_test(tc, pins_of_the_dead, 0, 4);
	tcase_add_test(tc, nobody_has_pinned);
	tcase_add_test(tc, turns_are_taken);
	tcase_add_test(tc, limit_used_up_by_the_dead);
	tcase_add_test(tc, window_of_the_dead);
	tcase_add_test(tc, store_is_bounded);
	tcase_add_test(tc, readers_need_no_lock);
	tcase_add_loop_test(tc, model_and_store_agree, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
