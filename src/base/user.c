/* SPDX-License-Identifier: MIT */
#include "base/user.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

#define PAGE_SIZE 4096UL

/* Either side may be the bad one. Checkers of memory know that this call writes to the first. */
static int copy(void *to, const void *from, size_t len)
{
	struct iovec local = {to, len};
	struct iovec remote = {(void *)from, len};
	long ret =
		sys_call(SYS_process_vm_readv, sys_getpid(), (long)&local, 1, (long)&remote, 1, 0);

	return ret == (long)len ? 0 : -EFAULT;
}

int user_read(void *to, const void *from, size_t len)
{
	return copy(to, from, len);
}

int user_write(void *to, const void *from, size_t len)
{
	return copy(to, from, len);
}

int user_read_string(char *to, size_t size, const char *from)
{
	size_t done = 0;

	/* By pages: the string may end just before memory that is not there. */
	while (done < size) {
		size_t part = PAGE_SIZE - ((uintptr_t)from + done) % PAGE_SIZE;
		const char *nul;

		if (part > size - done)
			part = size - done;
		if (user_read(to + done, (const void *)((uintptr_t)from + done), part))
			return -EFAULT;
		nul = memchr(to + done, '\0', part);
		if (nul)
			return (int)(nul - to);
		done += part;
	}
	return -EINVAL;
}
