/* SPDX-License-Identifier: MIT */
#include "trap/slot.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/sys.h"

#define OFFSET(member, offset) _Static_assert(offsetof(struct slot, member) == (offset), #member)
OFFSET(program.rbx, REGISTERS_RBX);
OFFSET(program.rbp, REGISTERS_RBP);
OFFSET(program.rdi, REGISTERS_RDI);
OFFSET(program.r10, REGISTERS_R10);
OFFSET(program.r12, REGISTERS_R12);
OFFSET(program.r15, REGISTERS_R15);
OFFSET(program.rax, REGISTERS_RAX);
OFFSET(program.sp, REGISTERS_SP);
OFFSET(program.pc, REGISTERS_PC);
OFFSET(program.rflags, REGISTERS_RFLAGS);
OFFSET(mask, TRAP_SLOT_MASK);
OFFSET(engine_sp, TRAP_SLOT_ENGINE_SP);
OFFSET(call, TRAP_SLOT_CALL);
OFFSET(busy, TRAP_SLOT_BUSY);
_Static_assert(sizeof(struct registers) == REGISTERS_SIZE, "REGISTERS_SIZE");
_Static_assert(sizeof(struct slot) <= TRAP_SLOT_HEAD, "TRAP_SLOT_HEAD");

/* The image starts on the first slot's stack. */
union stack {
	char bytes[TRAP_SLOT_SIZE];
	struct {
		char stack[TRAP_SLOT_SIZE - TRAP_SLOT_HEAD];
		struct slot slot;
	} in;
} __attribute__((aligned(TRAP_SLOT_SIZE)));

#define CHUNK 32 /* slots */

/* Chunks are never freed: a thread may be using any of them. */
#define CHUNKS 1024

extern union stack slot_first[CHUNK] __attribute__((visibility("hidden")));
union stack slot_first[CHUNK];
static union stack *_Atomic chunks[CHUNKS];

static union stack *make_chunk(void)
{
	const size_t size = CHUNK * sizeof(union stack);
	char *memory = sys_mmap(size + TRAP_SLOT_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);

	if (sys_is_error(memory))
		return NULL;
	return (union stack *)(((uintptr_t)memory + TRAP_SLOT_SIZE - 1) &
			       ~(uintptr_t)(TRAP_SLOT_SIZE - 1));
}

static union stack *chunk(size_t i)
{
	union stack *mine, *other = NULL;

	if (!i)
		return slot_first;
	if (chunks[i])
		return chunks[i];
	mine = make_chunk();
	if (!mine || atomic_compare_exchange_strong(&chunks[i], &other, mine))
		return mine;
	/* Another thread was faster. The unaligned rest of this mapping stays, untouched. */
	sys_munmap(mine, CHUNK * sizeof(union stack));
	return other;
}

static struct slot *take_from(union stack *stacks)
{
	for (size_t i = 0; i < CHUNK; i++) {
		struct slot *slot = &stacks[i].in.slot;
		int is_free = 0;

		if (!slot->busy && atomic_compare_exchange_strong(&slot->busy, &is_free, 1))
			return slot;
	}
	return NULL;
}

/* ---- slots whose threads have ended ---- */

/* The thread can be another process's: the parent of a vfork() child, or such a child. */
static bool has_ended(int thread)
{
	return sys_call(SYS_tkill, thread, 0, 0, 0, 0, 0) == -ESRCH;
}

static void find_left(union stack *stacks)
{
	for (size_t i = 0; i < CHUNK; i++) {
		struct slot *slot = &stacks[i].in.slot;
		int sleeper = slot->sleeper;

		if (sleeper && has_ended(sleeper) &&
		    atomic_compare_exchange_strong(&slot->sleeper, &sleeper, 0))
			slot->busy = 0;
	}
}

struct slot *slot_get(void)
{
	for (size_t i = 0; i < CHUNKS; i++) {
		union stack *stacks = chunk(i);
		struct slot *slot = stacks ? take_from(stacks) : NULL;

		if (!slot && stacks) {
			find_left(stacks);
			slot = take_from(stacks);
		}
		if (slot || !stacks)
			return slot;
	}
	return NULL;
}

struct slot *slot_here(void)
{
	uintptr_t stack = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(TRAP_SLOT_SIZE - 1);

	return &((union stack *)stack)->in.slot;
}

void slot_only(const struct slot *mine)
{
	for (size_t i = 0; i < CHUNKS; i++) {
		union stack *stacks = i ? chunks[i] : slot_first;

		for (size_t j = 0; stacks && j < CHUNK; j++)
			if (stacks[j].in.slot.busy && &stacks[j].in.slot != mine) {
				stacks[j].in.slot.sleeper = 0;
				stacks[j].in.slot.busy = 0;
			}
	}
}
