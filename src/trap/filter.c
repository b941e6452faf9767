/* SPDX-License-Identifier: MIT */
#include "trap/filter.h"

#include <errno.h>
#include <linux/seccomp.h>

#include "base/sys.h"
#include "trap/arch.h"

struct building {
	struct sock_filter *program;
	unsigned int len;
};

/*
 * The index of a jump whose target is set later. The offset has 32 bits in BPF_JA, and 8 in a
 * conditional jump.
 */
typedef unsigned int place;

static place put(struct building *b, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (b->len < FILTER_SIZE)
		b->program[b->len] = (struct sock_filter){code, yes, no, k};
	return b->len++;
}

static void load(struct building *b, size_t offset)
{
	put(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

#define LOW(arg)  (offsetof(struct seccomp_data, args) + 8 * (arg))
#define HIGH(arg) (LOW(arg) + 4)

static void put_return(struct building *b, uint32_t value)
{
	put(b, BPF_RET | BPF_K, value, 0, 0);
}

/* A test ends with a return that allows the call. A call to be trapped jumps over it. */
static void put_test(struct building *b, const struct filter_call *call)
{
	switch (call->test) {
	case FILTER_ALWAYS:
		break;
	case FILTER_IOCTL:
		load(b, LOW(1));
		put(b, BPF_ALU | BPF_AND | BPF_K, 0xff00, 0, 0);
		put(b, BPF_JMP | BPF_JEQ | BPF_K, ';' << 8, 1, 0);
		put_return(b, SECCOMP_RET_ALLOW);
		break;
	case FILTER_FD_FROM:
		load(b, LOW(call->arg));
		put(b, BPF_JMP | BPF_JGE | BPF_K, call->value, 0, 1);
		put(b, BPF_JMP | BPF_JGE | BPF_K, INT32_MIN, 0, 1);
		put_return(b, SECCOMP_RET_ALLOW);
		break;
	case FILTER_GIVEN:
		load(b, LOW(call->arg));
		put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3);
		load(b, HIGH(call->arg));
		put(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
		put_return(b, SECCOMP_RET_ALLOW);
		break;
	case FILTER_WITHOUT:
		load(b, LOW(call->arg));
		put(b, BPF_JMP | BPF_JSET | BPF_K, call->value, 0, 1);
		put_return(b, SECCOMP_RET_ALLOW);
		break;
	case FILTER_ELSEWHERE:
		load(b, HIGH(0));
		put(b, BPF_JMP | BPF_JEQ | BPF_K, call->value, 0, 1);
		put_return(b, SECCOMP_RET_ALLOW);
		break;
	}
}

/* Allows calls from the range. The kernel reports the address behind the instruction. */
static void put_range(struct building *b, struct filter_range range)
{
	const size_t low = offsetof(struct seccomp_data, instruction_pointer), high = low + 4;

	load(b, high);
	put(b, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(range.from >> 32), 0, 4);
	load(b, low);
	put(b, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)range.from, 0, 2);
	put(b, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)range.to, 1, 0);
	put_return(b, SECCOMP_RET_ALLOW);
	put_return(b, SECCOMP_RET_TRAP | FILTER_DATA);
}

unsigned int filter_build(struct sock_filter *program, const struct filter_call *calls,
			  size_t count, struct filter_range range)
{
	struct building b = {program, 0};
	place to_range[128];
	size_t jumps = 0;

	load(&b, offsetof(struct seccomp_data, arch));
	put(&b, BPF_JMP | BPF_JEQ | BPF_K, ARCH_AUDIT, 1, 0);
	put_return(&b, SECCOMP_RET_ALLOW);
	load(&b, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++) {
		place over = put(&b, BPF_JMP | BPF_JEQ | BPF_K, calls[i].nr, 0, 0);

		put_test(&b, &calls[i]);
		if (jumps == sizeof(to_range) / sizeof(to_range[0]))
			return 0;
		to_range[jumps++] = put(&b, BPF_JMP | BPF_JA, 0, 0, 0);
		if (over < FILTER_SIZE)
			program[over].jf = (uint8_t)(b.len - over - 1);
	}
	put_return(&b, SECCOMP_RET_ALLOW);
	if (b.len + 7 > FILTER_SIZE)
		return 0;
	for (size_t i = 0; i < jumps; i++)
		program[to_range[i]].k = b.len - to_range[i] - 1;
	put_range(&b, range);
	return b.len;
}

int filter_install(const struct sock_filter *program, unsigned int len)
{
	const struct sock_fprog prog = {(unsigned short)len, (struct sock_filter *)program};
	long ret = sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			    (long)&prog, 0, 0, 0);

	/* A positive result is the id of a thread that has filters of its own. */
	return ret > 0 ? -ESRCH : (int)ret;
}
