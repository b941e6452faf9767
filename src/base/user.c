/* SPDX-License-Identifier: MIT */
#include "base/user.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <string.h>

#include "base/sys.h"

#define PAGE_SIZE 4096UL

/*
 * The kernel is asked whether it can access a page by what it does to futexes, for
 * that is a call that every program makes: a seccomp filter that kills for another,
 * as process_vm_readv() or pipe2(), is not met. Nothing is changed, nobody woken up.
 */
static int ask(const void *word, int op, void *other, unsigned int value)
{
	long ret =
		sys_call(SYS_futex, (long)word, op | FUTEX_PRIVATE_FLAG, 0, 0, (long)other, value);

	/* -EAGAIN: it was read, and is not the value. */
	return ret >= 0 || ret == -EAGAIN ? 0 : (int)ret;
}

static int ask_to_read(void *word)
{
	return ask(word, FUTEX_CMP_REQUEUE, word, 0);
}

/* The word gets no bit that it has not. A waiter would be woken up if it were -2047. */
static int ask_to_write(void *word)
{
	static const unsigned int nobody_waits;

	return ask(&nobody_waits, FUTEX_WAKE_OP, word,
		   (unsigned int)FUTEX_OP(FUTEX_OP_OR, 0U, FUTEX_OP_CMP_EQ, 0x801U));
}

/* Asks of each page that the len bytes are in, by a word that does not cross it. */
static int ask_all(const void *memory, size_t len, int one(void *word))
{
	uintptr_t at = (uintptr_t)memory & ~(sizeof(int) - 1);
	uintptr_t last = (uintptr_t)memory + (len ? len - 1 : 0);
	int ret = last < (uintptr_t)memory ? -EFAULT : 0;

	for (bool more = len; !ret && more; at = (at | (PAGE_SIZE - 1)) + 1) {
		ret = one((void *)at);
		more = (at | (PAGE_SIZE - 1)) < last;
	}
	return ret;
}

int user_read(void *to, const void *from, size_t len)
{
	int ret = ask_all(from, len, ask_to_read);

	if (!ret)
		memcpy(to, from, len);
	return ret;
}

int user_write(void *to, const void *from, size_t len)
{
	int ret = ask_all(to, len, ask_to_write);

	if (!ret)
		memcpy(to, from, len);
	return ret;
}

int user_read_string(char *to, size_t size, const char *from)
{
	size_t done = 0;

	/* By pages: the string may end just before memory that is not there. */
	while (done < size) {
		size_t part = PAGE_SIZE - ((uintptr_t)from + done) % PAGE_SIZE;
		const char *nul;
		int ret;

		if (part > size - done)
			part = size - done;
		ret = user_read(to + done, (const void *)((uintptr_t)from + done), part);
		if (ret)
			return ret;
		nul = memchr(to + done, '\0', part);
		if (nul)
			return (int)(nul - to);
		done += part;
	}
	return -EINVAL;
}
