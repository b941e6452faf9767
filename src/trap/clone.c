/* SPDX-License-Identifier: MIT */
#include "trap/clone.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>

#include "base/sys.h"
#include "base/user.h"
#include "trap/entry.h"
#include "trap/floor.h"
#include "trap/pending.h"
#include "trap/registers.h"
#include "trap/signal.h"

/* ---- a child with its own memory ---- */

/* The call must let the child begin on this stack. stack is the child's own, or 0. */
static long fork_by(struct slot *slot, long nr, const long a[6], unsigned long stack,
		    unsigned long started)
{
	long ret;

	if (floor_fork.before)
		floor_fork.before();
	ret = sys_call(nr, a[0], a[1], a[2], a[3], a[4], 0);
	if (ret) {
		if (floor_fork.in_parent)
			floor_fork.in_parent();
		return ret;
	}
	/* The child continues here, on its copy of this stack. */
	slot_only(slot);
	pending_drop();
	clone_started(started);
	if (floor_fork.in_child)
		floor_fork.in_child();
	if (stack)
		slot->program.sp = stack;
	return 0;
}

/* ---- what a child inherits ---- */

#define STARTED_BLOCKED 1 /* its parent has blocked SIGSYS */
#define STARTED_CLEARED 2 /* CLONE_CLEAR_SIGHAND */

void clone_started(unsigned long started)
{
	signal_set_blocked(started & STARTED_BLOCKED);
	if (started & STARTED_CLEARED)
		signal_set_cleared();
}

static unsigned long starts_with(bool cleared)
{
	return (signal_is_blocked() ? STARTED_BLOCKED : 0) | (cleared ? STARTED_CLEARED : 0);
}

long clone_fork(struct slot *slot, long nr, const long a[6])
{
	const long without_stack[6] = {a[0], 0, a[2], a[3], a[4]};

	return fork_by(slot, nr, without_stack, nr == SYS_clone ? (unsigned long)a[1] : 0,
		       starts_with(false));
}

/* ---- clone3 ---- */

#define CLEAR_SIGHAND UINT64_C(0x100000000)

/* struct clone_args of <linux/sched.h> */
struct clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};
#define ARGS_LEAST 64	/* size of its first version */
#define ARGS_MOST  4096 /* a page */

static int is_zero(const char *from, size_t len)
{
	uint64_t part;

	for (size_t done = 0, n; done < len; done += n) {
		int ret;

		n = len - done < sizeof(part) ? len - done : sizeof(part);
		part = 0;
		ret = user_read(&part, from + done, n);
		if (ret || part)
			return ret ? ret : -E2BIG;
	}
	return 0;
}

/* As copy_clone_args_from_user() in kernel/fork.c. */
static int read_args(struct clone_args *args, const char *from, size_t size)
{
	int ret;

	if (size > ARGS_MOST)
		return -E2BIG;
	if (size < ARGS_LEAST)
		return -EINVAL;
	*args = (struct clone_args){0};
	ret = user_read(args, from, size < sizeof(*args) ? size : sizeof(*args));
	return ret || size <= sizeof(*args) ? ret
					    : is_zero(from + sizeof(*args), size - sizeof(*args));
}

/* False for a stack that the kernel refuses: clone3_stack_valid() in kernel/fork.c. */
static bool has_stack(const struct clone_args *args)
{
	return args->stack && args->stack_size && (int64_t)args->stack > 0 &&
	       (int64_t)(args->stack + args->stack_size) > 0;
}

/*
 * A child in the program's memory begins with its registers on its stack: nothing else of this
 * memory is its own once the parent goes on.
 */
static int put_registers(const struct slot *slot, struct clone_args *args)
{
	struct registers child = slot->program;

	child.rax = 0;
	if (has_stack(args)) {
		child.sp = args->stack + args->stack_size;
		/* A signal that comes at once takes more of the stack. */
		args->stack -= sizeof(child);
		return user_write((void *)(child.sp - sizeof(child)), &child, sizeof(child));
	}
	return user_write((void *)(child.sp - RED_ZONE - sizeof(child)), &child, sizeof(child));
}

static long clone_in_memory(struct slot *slot, struct clone_args *args, size_t size,
			    unsigned long started)
{
	long ret = put_registers(slot, args);

	if (ret)
		return ret;
	slot->call[0] = SYS_clone3;
	slot->call[1] = (long)args;
	slot->call[2] = (long)size;
	slot->call[6] = (long)started;
	slot->sleeper = (int)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	ret = program_clone(slot);
	slot->sleeper = 0;
	return ret;
}

long clone_3(struct slot *slot, const long a[6])
{
	struct clone_args args;
	size_t size = (size_t)a[1] < sizeof(args) ? (size_t)a[1] : sizeof(args);
	unsigned long started, stack = 0;
	long with[6] = {(long)&args, (long)size};
	int ret = read_args(&args, (const char *)a[0], (size_t)a[1]);

	if (ret)
		return ret;
	started = starts_with(args.flags & CLEAR_SIGHAND);
	if (args.flags & CLONE_VM)
		return clone_in_memory(slot, &args, size, started);
	if (has_stack(&args)) {
		stack = args.stack + args.stack_size;
		args.stack = args.stack_size = 0;
	}
	return fork_by(slot, SYS_clone3, with, stack, started);
}
