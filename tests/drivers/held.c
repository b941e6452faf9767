/*
 * held.c - memory that stays where it is (see held.h)
 */
#define _GNU_SOURCE
#include "held.h"
#include "legacy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* A pipe has a slot for each page. The kernel rounds their number up. */
static int hold(void *va, size_t size)
{
	struct iovec range = {.iov_base = va, .iov_len = size};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return legacy_error("pipe2");
	if (fcntl(ends[1], F_SETPIPE_SZ, size) < 0)
		return legacy_error("F_SETPIPE_SZ %zu", size);
	if (vmsplice(ends[1], &range, 1, SPLICE_F_NONBLOCK) != (ssize_t)size)
		return legacy_error("vmsplice");
	return 0; /* the pipe stays open, nobody reads from it */
}

void *held_alloc(size_t size)
{
	/* Shared, so that no copy on write replaces the page that the pipe holds. */
	void *va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (va == MAP_FAILED) {
		legacy_error("mmap");
		return NULL;
	}
	memset(va, 0, size);
	return hold(va, size) < 0 ? NULL : va;
}
