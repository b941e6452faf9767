/* SPDX-License-Identifier: MIT */
#include "uring/ring.h"

#include <errno.h>
#include <sys/uio.h>

#include "base/hidden.h"
#include "base/limit.h"
#include "base/sys.h"
#include "uapi/io_uring.h"

static struct {
	struct hidden file; /* its object is all zero until it is used */
	bool is_open, is_inherited;
	uint16_t used;	    /* slots that ever had a buffer */
	uint16_t is_behind; /* buffers were removed that may still be pinned */
} rings[RINGS];

static unsigned int top; /* all rings from there on are closed */
static int current = -1; /* the ring for new buffers */
static bool is_old;	 /* a table cannot be changed */

/* A stack of places that have no buffer any more. */
static uint32_t *unused; /* NULL: there is no memory for it yet */
static size_t nr_unused;
#define UNUSED_MOST ((size_t)1 << 16)

static long call_register(int fd, unsigned int what, void *arg, unsigned int nr)
{
	return sys_call(SYS_io_uring_register, fd, what, (long)arg, nr, 0, 0);
}

static unsigned int slots(void)
{
	return is_old ? 1 : RING_SLOTS;
}

/* Registers a table without buffers: none of its entries has one. */
static int make_table(int fd)
{
	struct uapi_io_uring_register2 table = {.nr = RING_SLOTS};
	size_t len = RING_SLOTS * sizeof(struct iovec);
	void *none = sys_memory(len);
	long ret;

	if (sys_is_error(none))
		return -ENOMEM;
	table.data = (uintptr_t)none;
	ret = call_register(fd, UAPI_REGISTER_BUFFERS2, &table, sizeof(table));
	sys_memory_free(none, len);
	return (int)ret;
}

static int new_ring(void)
{
	struct uapi_io_uring_params params = {{0}};
	int at = 0, fd, ret;

	while (at < RINGS && rings[at].is_open)
		at++;
	if (at == RINGS)
		return -ENOSPC;
	fd = (int)limit_call(SYS_io_uring_setup, 1, (long)&params, 0, 0);
	if (fd < 0)
		return fd;
	ret = is_old ? 0 : make_table(fd);
	if (ret == -EINVAL) {
		is_old = true;
		ret = 0;
	}
	if (ret)
		sys_close(fd);
	else
		ret = hidden_take(&rings[at].file, fd);
	if (ret)
		return ret;
	rings[at].is_open = true;
	rings[at].is_inherited = false;
	rings[at].used = rings[at].is_behind = 0;
	if ((unsigned int)at >= top)
		top = (unsigned int)at + 1;
	current = at;
	return 0;
}

int ring_open(void)
{
	return current >= 0 ? 0 : new_ring();
}

static void forget_places(void)
{
	nr_unused = 0;
	current = -1;
}

static void close_rings(bool inherited)
{
	for (unsigned int i = 0; i < top; i++)
		if (rings[i].is_open && rings[i].is_inherited == inherited) {
			hidden_close(&rings[i].file);
			rings[i].is_open = false;
		}
	while (top && !rings[top - 1].is_open)
		top--;
}

void ring_close(void)
{
	close_rings(false);
	forget_places();
}

void ring_clear(void)
{
	for (unsigned int i = 0; i < top; i++)
		if (rings[i].is_open && !rings[i].is_inherited)
			call_register(rings[i].file.fd, UAPI_UNREGISTER_BUFFERS, NULL, 0);
}

bool ring_check(void)
{
	bool all = true;

	for (unsigned int i = 0; i < top; i++)
		if (rings[i].is_open && !rings[i].is_inherited && !hidden_check(&rings[i].file))
			all = false;
	if (!all)
		ring_close();
	return all;
}

static int take_place(uint32_t *place)
{
	int ret = 0;

	if (nr_unused) {
		*place = unused[--nr_unused];
		return 0;
	}
	if (current < 0 || rings[current].used == slots())
		ret = new_ring();
	if (!ret)
		*place = (uint32_t)current * RING_SLOTS + rings[current].used++;
	return ret;
}

/* If the stack is full, the place is not used until its ring is closed. */
static void give_place(uint32_t place)
{
	void *memory;

	if (!unused) {
		memory = sys_memory(UNUSED_MOST * sizeof(*unused));
		unused = sys_is_error(memory) ? NULL : memory;
	}
	if (unused && nr_unused < UNUSED_MOST)
		unused[nr_unused++] = place;
}

/* Registers a buffer at place, instead of what is there. len 0: only removes that. */
static int set(uint32_t place, uint64_t va, uint64_t len)
{
	int fd = rings[place / RING_SLOTS].file.fd;
	struct iovec buffer = {.iov_base = (void *)va, .iov_len = len};
	struct uapi_io_uring_update2 update = {
		.offset = place % RING_SLOTS, .data = (uintptr_t)&buffer, .nr = 1};
	long ret;

	if (!is_old) {
		ret = call_register(fd, UAPI_REGISTER_BUFFERS_UPDATE, &update, sizeof(update));
	} else {
		ret = call_register(fd, UAPI_UNREGISTER_BUFFERS, NULL, 0);
		if (len)
			ret = call_register(fd, UAPI_REGISTER_BUFFERS, &buffer, 1);
	}
	return ret < 0 ? (int)ret : 0;
}

int ring_add(uint64_t va, uint64_t len, uint32_t *place)
{
	int ret = take_place(place);

	if (ret)
		return ret;
	ret = set(*place, va, len);
	if (ret)
		give_place(*place);
	/* io_uring's error for memory of files */
	return ret == -EOPNOTSUPP ? -EFAULT : ret;
}

void ring_remove(uint32_t place)
{
	/* A buffer that cannot be removed stays until its place is used again. */
	set(place, 0, 0);
	rings[place / RING_SLOTS].is_behind = 1;
	give_place(place);
}

/*
 * From Linux 5.13 until 6.4 a worker unpins removed buffers within a second. When a table
 * goes, the kernel first unpins all that was removed before: io_rsrc_ref_quiesce() in
 * io_uring/rsrc.c. So this registers a table of files, and removes it.
 */
void ring_flush(void)
{
	int none = -1;

	for (unsigned int i = 0; i < top && !is_old; i++) {
		if (!rings[i].is_open || !rings[i].is_behind)
			continue;
		rings[i].is_behind = 0;
		if (!call_register(rings[i].file.fd, UAPI_REGISTER_FILES, &none, 1))
			call_register(rings[i].file.fd, UAPI_UNREGISTER_FILES, NULL, 0);
	}
}

void ring_in_child(void)
{
	for (unsigned int i = 0; i < top; i++)
		rings[i].is_inherited = true;
	forget_places();
}

void ring_close_inherited(void)
{
	close_rings(true);
}

void ring_abandon(void)
{
	for (unsigned int i = 0; i < top; i++)
		rings[i].is_open = false;
	top = 0;
	unused = NULL;
	forget_places();
}
