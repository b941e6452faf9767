/* SPDX-License-Identifier: MIT */
/* The fake kernel's io_uring, as far as buffers are registered with it: io_uring/rsrc.c. */
#include <check.h>
#include <errno.h>
#include <sys/uio.h>

#include "fake-inside.h"
#include "uapi/io_uring.h"

#define TABLE_MOST 16384

struct buffer {
	uint64_t *frames;
	size_t n;
};

struct fake_uring {
	struct buffer *table; /* NULL: none is registered */
	unsigned int nr;
	bool has_files;
};

int fake_uring_setup(void)
{
	static struct fake_node node = {.type = FAKE_URING, .path = "anon_inode:[io_uring]"};
	int fd;

	if (fake.uring_error)
		return -fake.uring_error;
	fd = fake_open_node(&node, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		fake_open_of(fd)->uring = fake_alloc(sizeof(struct fake_uring));
	return fd;
}

static void put(struct buffer *buffer)
{
	for (size_t i = 0; i < buffer->n; i++)
		fake_unpin(buffer->frames[i]);
	buffer->n = 0;
}

static int set(struct buffer *buffer, const struct iovec *to)
{
	uint64_t va = (uintptr_t)to->iov_base;
	struct buffer made = {0};

	if (!to->iov_base && to->iov_len)
		return -EFAULT;
	/* Most of a new table has none. */
	if (to->iov_len) {
		ck_assert_uint_eq(va % FAKE_4K, 0);
		made.frames = fake_alloc((to->iov_len / FAKE_4K + 1) * sizeof(*made.frames));
	}
	for (; made.n < to->iov_len / FAKE_4K; made.n++) {
		uint64_t at = va + made.n * FAKE_4K;
		int ret = fake_may_write(at) ? fake_pin(at, false, &made.frames[made.n]) : -EFAULT;

		if (ret) {
			put(&made);
			return ret;
		}
	}
	put(buffer);
	*buffer = made;
	return 0;
}

static int make_table(struct fake_uring *ring, const struct iovec *buffers, unsigned int nr)
{
	int ret = 0;

	if (ring->table)
		return -EBUSY;
	if (!nr || nr > TABLE_MOST)
		return -EINVAL;
	ring->table = fake_alloc(nr * sizeof(*ring->table));
	ring->nr = nr;
	for (unsigned int i = 0; i < nr && !ret; i++)
		ret = set(&ring->table[i], &buffers[i]);
	if (ret)
		ring->table = NULL;
	return ret;
}

static int drop_table(struct fake_uring *ring)
{
	if (!ring->table)
		return -ENXIO;
	for (unsigned int i = 0; i < ring->nr; i++)
		put(&ring->table[i]);
	ring->table = NULL;
	return 0;
}

static long update(struct fake_uring *ring, const struct uapi_io_uring_update2 *arg)
{
	const struct iovec *buffers = (const struct iovec *)(uintptr_t)arg->data;
	int ret = 0;

	if (!ring->table)
		return -ENXIO;
	if (arg->reserved || arg->reserved2 || !arg->nr || arg->offset + arg->nr > ring->nr)
		return -EINVAL;
	for (unsigned int i = 0; i < arg->nr && !ret; i++)
		ret = set(&ring->table[arg->offset + i], &buffers[i]);
	return ret ? ret : (long)arg->nr;
}

static int change_files(struct fake_uring *ring, bool has)
{
	if (ring->has_files == has)
		return has ? -EBUSY : -ENXIO;
	ring->has_files = has;
	return 0;
}

long fake_uring_register(int fd, unsigned int what, const void *arg, unsigned int nr)
{
	const struct uapi_io_uring_register2 *table = arg;
	struct fake_open *open = fake_open_of(fd);

	if (!open)
		return -EBADF;
	if (!open->uring)
		return -EOPNOTSUPP;
	if (what >= UAPI_REGISTER_BUFFERS2 && (!fake.has_uring_tables || nr != sizeof(*table)))
		return -EINVAL;
	switch (what) {
	case UAPI_REGISTER_BUFFERS:
		return make_table(open->uring, arg, nr);
	case UAPI_UNREGISTER_BUFFERS:
		return drop_table(open->uring);
	case UAPI_REGISTER_FILES:
	case UAPI_UNREGISTER_FILES:
		return change_files(open->uring, what == UAPI_REGISTER_FILES);
	case UAPI_REGISTER_BUFFERS2:
		return make_table(open->uring, (const void *)(uintptr_t)table->data, table->nr);
	case UAPI_REGISTER_BUFFERS_UPDATE:
		return update(open->uring, arg);
	default:
		return -EINVAL;
	}
}

void fake_uring_release(struct fake_open *open)
{
	drop_table(open->uring);
}
