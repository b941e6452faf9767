/* SPDX-License-Identifier: MIT */
#include "base/user.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/page.h"
#include "base/sys.h"

/*
 * A pipe uses the kernel's ordinary user copy and needs no rights. Container engines
 * refuse process_vm_readv() without CAP_SYS_PTRACE, and the kernel can be built without
 * it. The cost is two descriptors for the moment, and at least five system calls.
 */
static int copy_by_pipe(void *to, const void *from, size_t len)
{
	int ends[2] = {-1, -1};
	int ret = (int)sys_call(SYS_pipe2, (long)ends, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0);

	if (ret)
		return ret;
	/* A seccomp filter can refuse the call with errno 0. */
	if (ends[0] < 0)
		return -EPERM;
	for (size_t done = 0; !ret && done < len;) {
		size_t part = len - done < PAGE_LEAST ? len - done : PAGE_LEAST;

		if (sys_write(ends[1], (const char *)from + done, part) != (ssize_t)part ||
		    sys_read(ends[0], (char *)to + done, part) != (ssize_t)part)
			ret = -EFAULT;
		done += part;
	}
	sys_close(ends[0]);
	sys_close(ends[1]);
	return ret;
}

/*
 * Either pointer may be the bad one. Memory checkers know that this call writes to the
 * first iovec.
 */
static int copy(void *to, const void *from, size_t len)
{
	/* Neither a seccomp filter nor the kernel changes later. */
	static _Atomic(bool) refused;
	struct iovec local = {to, len};
	struct iovec remote = {(void *)from, len};
	long ret;

	if (refused)
		return copy_by_pipe(to, from, len);
	ret = sys_call(SYS_process_vm_readv, sys_getpid(), (long)&local, 1, (long)&remote, 1, 0);
	if (ret == (long)len)
		return 0;
	if (ret > 0 || ret == -EFAULT || ret == -ENOMEM)
		return -EFAULT;
	/* The kernel never returns 0 here: it is the errno of a seccomp filter. */
	refused = !ret || ret == -EPERM || ret == -ENOSYS;
	return copy_by_pipe(to, from, len);
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

	/* Page by page: the string may end just before an unmapped page. */
	while (done < size) {
		size_t part = PAGE_LEAST - ((uintptr_t)from + done) % PAGE_LEAST;
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
