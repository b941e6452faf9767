/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/slab.h"
#include "base/sys.h"
#include "fake.h"
#include "program.h"
#include "suites.h"

#define N 1000

struct thing {
	char text[56];
};

START_TEST(objects_are_apart_and_zeroed)
{
	static struct slab slab = {.size = sizeof(struct thing)};
	static const struct thing zero;
	struct thing *things[N];

	/* The second round has what the first gave back. */
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			things[i] = slab_alloc(&slab);
			ck_assert_ptr_nonnull(things[i]);
			ck_assert_mem_eq(things[i], &zero, sizeof(zero));
			memset(things[i], i, sizeof(*things[i]));
		}
		for (int i = 0; i < N; i++) {
			struct thing expected;

			memset(&expected, i, sizeof(expected));
			ck_assert_mem_eq(things[i], &expected, sizeof(expected));
			slab_free(&slab, things[i]);
		}
	}
}
END_TEST

START_TEST(freed_memory_is_used_again)
{
	static struct slab slab = {.size = sizeof(struct thing)};
	unsigned int calls;

	slab_free(&slab, slab_alloc(&slab));
	calls = fake.calls;
	for (int i = 0; i < N; i++)
		slab_free(&slab, slab_alloc(&slab));
	ck_assert_uint_eq(fake.calls, calls);
}
END_TEST

START_TEST(no_memory_is_null)
{
	static struct slab slab = {.size = sizeof(struct thing)};

	fake_fail(SYS_mmap, 0, 1, ENOMEM);
	ck_assert_ptr_null(slab_alloc(&slab));
	ck_assert(fake_failed());
	ck_assert_ptr_nonnull(slab_alloc(&slab));
}
END_TEST

/* Is there memory to be read at the address? */
static bool can_read(const char *p)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {(void *)p, 1};

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1;
}

/* The program's own, which is mapped at the same place, would be one mapping with it. */
START_TEST(memory_is_apart)
{
	size_t lens[] = {1, page_size(), page_size() + 1, 64 * page_size()};

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		size_t len = (lens[i] + page_size() - 1) & ~(page_size() - 1);
		char *memory = sys_memory(lens[i]);

		ck_assert(!sys_is_error(memory));
		memset(memory, 1, len);
		ck_assert(!can_read(memory - 1));
		ck_assert(!can_read(memory + len));
		sys_memory_free(memory, lens[i]);
		ck_assert_int_eq(msync(memory - page_size(), len + 2 * page_size(), MS_ASYNC), -1);
		ck_assert_int_eq(errno, ENOMEM);
	}
}
END_TEST

START_TEST(memory_that_cannot_be_had_is_an_error)
{
	fake_fail(SYS_mprotect, 0, 1, ENOMEM);
	ck_assert_int_eq((long)sys_memory(4096), -ENOMEM);
	ck_assert(fake_failed());
	fake_fail(SYS_mmap, 0, 1, EAGAIN);
	ck_assert_int_eq((long)sys_memory(4096), -EAGAIN);
	ck_assert(fake_failed());
}
END_TEST

Suite *suite_slab(void)
{
	Suite *suite = suite_create("slab");
	TCase *tc = tcase_create("slab");

	tcase_add_checked_fixture(tc, program_setup_locked, program_teardown_locked);
	tcase_add_test(tc, objects_are_apart_and_zeroed);
	tcase_add_test(tc, freed_memory_is_used_again);
	tcase_add_test(tc, no_memory_is_null);
	tcase_add_test(tc, memory_is_apart);
	tcase_add_test(tc, memory_that_cannot_be_had_is_an_error);
	suite_add_tcase(suite, tc);
	return suite;
}
