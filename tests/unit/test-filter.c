/* SPDX-License-Identifier: MIT */
/* The filters of src/trap, run as the kernel runs them: net/core/filter.c. */
#include <limits.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>

#include "suites.h"
#include "trap/arch.h"
#include "trap/calls.h"
#include "trap/image.h"
#include "uapi/syscall.h"

#define TEXT_END (IMAGE_BASE + 0x20000)

static const struct filter_range image = {IMAGE_BASE, TEXT_END};

static struct sock_filter program[FILTER_SIZE];
static unsigned int len;

static void build(const struct filter_call *calls, size_t count)
{
	len = filter_build(program, calls, count, image);
	ck_assert_uint_gt(len, 0);
	ck_assert_uint_le(len, BPF_MAXINSNS);
}

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	ck_assert_uint_le(offset, sizeof(*data) - sizeof(word));
	ck_assert_uint_eq(offset % sizeof(word), 0);
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static bool holds(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGE:
		return a >= k;
	case BPF_JGT:
		return a > k;
	case BPF_JSET:
		return a & k;
	default:
		ck_abort_msg("condition %#x", code);
	}
}

/* What the filter says of the call; no instruction but these is expected of it. */
static uint32_t run(const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned int at = 0; at < len; at++) {
		const struct sock_filter *i = &program[at];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			ck_assert_uint_eq(i->code, BPF_LD | BPF_W | BPF_ABS);
			a = load(data, i->k);
			break;
		case BPF_ALU:
			ck_assert_uint_eq(i->code, BPF_ALU | BPF_AND | BPF_K);
			a &= i->k;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				at += i->k;
			else
				at += holds(i->code, a, i->k) ? i->jt : i->jf;
			break;
		case BPF_RET:
			ck_assert_uint_eq(i->code, BPF_RET | BPF_K);
			return i->k;
		default:
			ck_abort_msg("instruction %#x", i->code);
		}
	}
	ck_abort_msg("the filter has no end");
}

/* Of the program, from where a C library may be. */
static struct seccomp_data call(int nr)
{
	return (struct seccomp_data){
		.nr = nr, .arch = ARCH_AUDIT, .instruction_pointer = 0x7f1234567890};
}

static uint32_t with(int nr, unsigned int arg, uint64_t value)
{
	struct seccomp_data data = call(nr);

	data.args[arg] = value;
	return run(&data);
}

static uint32_t from(int nr, uint64_t pc)
{
	struct seccomp_data data = call(nr);

	data.instruction_pointer = pc;
	return run(&data);
}

#define ALLOWED(verdict) ck_assert_uint_eq(verdict, SECCOMP_RET_ALLOW)
#define TRAPPED(verdict) ck_assert_uint_eq(verdict, SECCOMP_RET_TRAP | FILTER_DATA)

START_TEST(only_what_is_in_the_table)
{
	static const struct filter_call calls[] = {{SYS_chdir, FILTER_ALWAYS, 0, 0},
						   {SYS_statx, FILTER_ALWAYS, 0, 0}};

	build(calls, 2);
	for (int nr = 0; nr < 512; nr++) {
		if (nr == SYS_chdir || nr == SYS_statx)
			TRAPPED(with(nr, 0, 0));
		else
			ALLOWED(with(nr, 0, 0));
	}
	build(calls, 0);
	ALLOWED(with(SYS_chdir, 0, 0));
}
END_TEST

/* The image's own calls pass; the kernel shows the address behind the instruction. */
START_TEST(calls_of_the_image_pass)
{
	static const struct filter_call calls[] = {{SYS_chdir, FILTER_ALWAYS, 0, 0}};

	build(calls, 1);
	ALLOWED(from(SYS_chdir, IMAGE_BASE));
	ALLOWED(from(SYS_chdir, IMAGE_BASE + 2));
	ALLOWED(from(SYS_chdir, TEXT_END - 1));
	TRAPPED(from(SYS_chdir, IMAGE_BASE - 1));
	TRAPPED(from(SYS_chdir, TEXT_END));
	TRAPPED(from(SYS_chdir, (uint32_t)IMAGE_BASE + 2));
	TRAPPED(from(SYS_chdir, IMAGE_BASE + (UINT64_C(1) << 32)));
	TRAPPED(from(SYS_chdir, IMAGE_BASE - (UINT64_C(1) << 32)));
	TRAPPED(from(SYS_chdir, 0x401000));
	TRAPPED(from(SYS_chdir, ULONG_MAX));
}
END_TEST

START_TEST(calls_of_another_kind_of_program_pass)
{
	static const struct filter_call calls[] = {{SYS_chdir, FILTER_ALWAYS, 0, 0}};
	struct seccomp_data data = call(SYS_chdir);

	build(calls, 1);
	data.arch = AUDIT_ARCH_I386;
	ALLOWED(run(&data));
}
END_TEST

/* A descriptor is an int, whatever is in the upper half of its register. */
START_TEST(descriptors_from_one_on)
{
	static const struct filter_call calls[] = {{SYS_read, FILTER_FD_FROM, 0, 7},
						   {SYS_mmap, FILTER_FD_FROM, 4, 7}};

	build(calls, 2);
	ALLOWED(with(SYS_read, 0, 0));
	ALLOWED(with(SYS_read, 0, 6));
	TRAPPED(with(SYS_read, 0, 7));
	TRAPPED(with(SYS_read, 0, INT_MAX));
	TRAPPED(with(SYS_read, 0, UINT64_C(0xffffffff00000007)));
	ALLOWED(with(SYS_read, 0, (uint32_t)-1));
	ALLOWED(with(SYS_read, 0, ULONG_MAX));
	ALLOWED(with(SYS_read, 1, 7));
	TRAPPED(with(SYS_mmap, 4, 7));
	ALLOWED(with(SYS_mmap, 4, (uint64_t)-1));
	ALLOWED(with(SYS_mmap, 0, 7));
}
END_TEST

START_TEST(single_descriptors)
{
	static const struct filter_call calls[] = {{SYS_read, FILTER_FD_IS, 0, 7},
						   {SYS_mmap, FILTER_FD_IS, 4, 7}};

	build(calls, 2);
	ALLOWED(with(SYS_read, 0, 6));
	TRAPPED(with(SYS_read, 0, 7));
	TRAPPED(with(SYS_read, 0, UINT64_C(0xffffffff00000007)));
	ALLOWED(with(SYS_read, 0, 8));
	ALLOWED(with(SYS_read, 1, 7));
	TRAPPED(with(SYS_mmap, 4, 7));
	ALLOWED(with(SYS_mmap, 4, (uint64_t)-1));
}
END_TEST

START_TEST(requests_of_vfio)
{
	static const struct filter_call calls[] = {{SYS_ioctl, FILTER_IOCTL, 0, 0}};

	build(calls, 1);
	TRAPPED(with(SYS_ioctl, 1, 0x3b64));
	TRAPPED(with(SYS_ioctl, 1, 0x3b00));
	TRAPPED(with(SYS_ioctl, 1, 0x3bff));
	TRAPPED(with(SYS_ioctl, 1, 0xc0183b67));
	TRAPPED(with(SYS_ioctl, 1, UINT64_C(0xffffffff00003b64)));
	ALLOWED(with(SYS_ioctl, 1, 0x5401));
	ALLOWED(with(SYS_ioctl, 1, 0x3a64));
	ALLOWED(with(SYS_ioctl, 1, 0x3b));
	ALLOWED(with(SYS_ioctl, 0, 0x3b64));
}
END_TEST

START_TEST(arguments)
{
	static const struct filter_call calls[] = {
		{1, FILTER_GIVEN, 2, 0},
		{3, FILTER_WITHOUT, 0, CLONE_VM},
		{4, FILTER_ELSEWHERE, 0, IMAGE_BASE >> 32},
		{6, FILTER_ALWAYS, 0, 0},
	};

	build(calls, sizeof(calls) / sizeof(calls[0]));
	ALLOWED(with(1, 2, 0));
	TRAPPED(with(1, 2, 1));
	TRAPPED(with(1, 2, UINT64_C(1) << 32));
	ALLOWED(with(1, 0, 1));
	TRAPPED(with(3, 0, CLONE_FILES));
	ALLOWED(with(3, 0, CLONE_FILES | CLONE_VM));
	ALLOWED(with(4, 0, IMAGE_BASE + 4096));
	TRAPPED(with(4, 0, 0));
	TRAPPED(with(4, 0, IMAGE_BASE - 4096));
	TRAPPED(with(6, 0, 0));
}
END_TEST

/* What is not in the table passes by its number alone, which the kernel then remembers. */
START_TEST(the_tables_fit)
{
	static const struct {
		const struct filter_call *calls;
		const size_t *count;
	} tables[] = {{calls_first, &calls_first_count},
		      {calls_io, &calls_io_count},
		      {calls_memory, &calls_memory_count}};

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		build(tables[t].calls, *tables[t].count);
		for (size_t i = 0; i < *tables[t].count; i++) {
			const struct filter_call *c = &tables[t].calls[i];

			if (c->test == FILTER_ALWAYS)
				TRAPPED(with((int)c->nr, 0, 0));
			ALLOWED(from((int)c->nr, IMAGE_BASE + 16));
			for (size_t j = 0; j < i; j++)
				ck_assert(c->nr != tables[t].calls[j].nr);
		}
		ALLOWED(with(SYS_getpid, 0, 0));
		ALLOWED(with(SYS_futex, 0, 0));
		ALLOWED(with(SYS_exit, 0, 0));
		ALLOWED(with(SYS_rt_sigreturn, 0, 0));
	}
}
END_TEST

START_TEST(what_does_not_fit_is_no_filter)
{
	static struct filter_call calls[200];

	for (unsigned int i = 0; i < 200; i++)
		calls[i] = (struct filter_call){i, FILTER_GIVEN, 0, 0};
	ck_assert_uint_eq(filter_build(program, calls, 200, image), 0);
	ck_assert_uint_eq(filter_build(program, calls, FILTER_CALLS, image), 0);
	build(calls, 48);
	TRAPPED(with(47, 0, 1));
	ALLOWED(with(48, 0, 1));
}
END_TEST

Suite *suite_filter(void)
{
	Suite *suite = suite_create("filter");
	TCase *tcase = tcase_create("filter");

	tcase_add_test(tcase, only_what_is_in_the_table);
	tcase_add_test(tcase, calls_of_the_image_pass);
	tcase_add_test(tcase, calls_of_another_kind_of_program_pass);
	tcase_add_test(tcase, descriptors_from_one_on);
	tcase_add_test(tcase, single_descriptors);
	tcase_add_test(tcase, requests_of_vfio);
	tcase_add_test(tcase, arguments);
	tcase_add_test(tcase, the_tables_fit);
	tcase_add_test(tcase, what_does_not_fit_is_no_filter);
	suite_add_tcase(suite, tcase);
	return suite;
}
