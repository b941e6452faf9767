/* SPDX-License-Identifier: MIT */
#include "trap/filter.h"

#include <errno.h>
#include <linux/seccomp.h>

#include "base/sys.h"
#include "trap/arch.h"

typedef unsigned int place; /* the index of a jump whose target is set later */

struct building {
	struct sock_filter *program;
	unsigned int len;
	place to_range[FILTER_CALLS]; /* jumps of calls to be trapped */
	size_t traps;
	bool too_far; /* the target of a conditional jump, whose offset has 8 bits */
};

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

enum jump { JUMP_IF, JUMP_UNLESS, JUMP_ALWAYS };

/* The next instruction is the target. */
static void set_target(struct building *b, place jump, enum jump kind)
{
	unsigned int offset = b->len - jump - 1;

	if (b->len > FILTER_SIZE)
		return;
	b->too_far |= kind != JUMP_ALWAYS && offset > UINT8_MAX;
	if (kind == JUMP_ALWAYS)
		b->program[jump].k = offset;
	else if (kind == JUMP_IF)
		b->program[jump].jt = (uint8_t)offset;
	else
		b->program[jump].jf = (uint8_t)offset;
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
	case FILTER_FD_IS:
		load(b, LOW(call->arg));
		put(b, BPF_JMP | BPF_JEQ | BPF_K, call->value, 1, 0);
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

/*
 * Allows calls from the range, and those of another kind of program. The kernel reports the
 * address behind the instruction.
 */
static void put_range(struct building *b, struct filter_range range)
{
	const size_t low = offsetof(struct seccomp_data, instruction_pointer), high = low + 4;

	load(b, offsetof(struct seccomp_data, arch));
	put(b, BPF_JMP | BPF_JEQ | BPF_K, ARCH_AUDIT, 1, 0);
	put_return(b, SECCOMP_RET_ALLOW);
	load(b, high);
	put(b, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(range.from >> 32), 0, 4);
	load(b, low);
	put(b, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)range.from, 0, 2);
	put(b, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)range.to, 1, 0);
	put_return(b, SECCOMP_RET_ALLOW);
	put_return(b, SECCOMP_RET_TRAP | FILTER_DATA);
}

/* The calls by number. The image's own calls run through the filter as well. */
static void sort(struct filter_call *to, const struct filter_call *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		for (; at && to[at - 1].nr > from[i].nr; at--)
			to[at] = to[at - 1];
		to[at] = from[i];
	}
}

/* Finds the number of the call among these, of which there is at least one. */
static void put_search(struct building *b, const struct filter_call *calls, size_t count)
{
	const size_t half = count / 2;
	place jump;

	if (count > 1) {
		jump = put(b, BPF_JMP | BPF_JGE | BPF_K, calls[half].nr, 0, 0);
		put_search(b, calls, half);
		set_target(b, jump, JUMP_IF);
		put_search(b, calls + half, count - half);
		return;
	}
	jump = put(b, BPF_JMP | BPF_JEQ | BPF_K, calls->nr, 0, 0);
	put_test(b, calls);
	b->to_range[b->traps++] = put(b, BPF_JMP | BPF_JA, 0, 0, 0);
	set_target(b, jump, JUMP_UNLESS);
	put_return(b, SECCOMP_RET_ALLOW);
}

unsigned int filter_build(struct sock_filter *program, const struct filter_call *calls,
			  size_t count, struct filter_range range)
{
	struct filter_call sorted[FILTER_CALLS];
	struct building b = {.program = program};

	if (count > FILTER_CALLS)
		return 0;
	sort(sorted, calls, count);
	load(&b, offsetof(struct seccomp_data, nr));
	/* In most tables this is all that read() and write() meet. */
	if (count && sorted[0].nr) {
		put(&b, BPF_JMP | BPF_JGE | BPF_K, sorted[0].nr, 1, 0);
		put_return(&b, SECCOMP_RET_ALLOW);
	}
	if (count)
		put_search(&b, sorted, count);
	put_return(&b, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < b.traps; i++)
		set_target(&b, b.to_range[i], JUMP_ALWAYS);
	put_range(&b, range);
	return b.too_far || b.len > FILTER_SIZE ? 0 : b.len;
}

int filter_install(const struct sock_filter *program, unsigned int len)
{
	const struct sock_fprog prog = {(unsigned short)len, (struct sock_filter *)program};
	long ret = sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			    (long)&prog, 0, 0, 0);

	/* A positive result is the id of a thread that has filters of its own. */
	return ret > 0 ? -ESRCH : (int)ret;
}
