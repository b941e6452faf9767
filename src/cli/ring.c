/* SPDX-License-Identifier: MIT */
#include "cli/ring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int ring_make(struct ring *ring)
{
	const size_t size = sizeof(*ring->shared);

	*ring = (struct ring){.fd = memfd_create("noiommu-shim-trace", MFD_CLOEXEC)};
	if (ring->fd < 0 || ftruncate(ring->fd, (off_t)size))
		return -errno;
	ring->shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (ring->shared == MAP_FAILED)
		return -errno;
	for (uint64_t i = 0; i < TRACE_SLOTS; i++)
		ring->shared->events[i].sequence = i;
	ring->shared->slots = TRACE_SLOTS;
	ring->shared->version = TRACE_VERSION;
	ring->shared->magic = TRACE_MAGIC;
	return 0;
}

void ring_free(struct ring *ring)
{
	munmap(ring->shared, sizeof(*ring->shared));
	close(ring->fd);
}

const char *ring_path(const struct ring *ring)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), ring->fd);
	return path;
}

/* False while its writer may still complete the event at next. */
static bool give_up(struct ring *ring, struct trace_event *slot, uint64_t now, bool over)
{
	uint64_t turn = ring->next;

	if (!ring->waiting_since)
		ring->waiting_since = now;
	if (!over && now - ring->waiting_since < RING_PATIENCE)
		return false;
	/* It may be complete after all, and is read then. */
	if (atomic_compare_exchange_strong(&slot->sequence, &turn, ring->next + TRACE_SLOTS)) {
		ring->given_up++;
		ring->next++;
	}
	ring->waiting_since = 0;
	return true;
}

bool ring_next(struct ring *ring, struct trace_event *event, uint64_t now, bool over)
{
	for (;;) {
		struct trace_event *slot = &ring->shared->events[ring->next % TRACE_SLOTS];

		if (atomic_load_explicit(&slot->sequence, memory_order_acquire) == ring->next + 1) {
			memcpy(event, slot, sizeof(*event));
			if (event->length > TRACE_DATA)
				event->length = TRACE_DATA;
			atomic_store_explicit(&slot->sequence, ring->next + TRACE_SLOTS,
					      memory_order_release);
			ring->next++;
			ring->waiting_since = 0;
			return true;
		}
		if (atomic_load_explicit(&ring->shared->head, memory_order_relaxed) <= ring->next ||
		    !give_up(ring, slot, now, over))
			return false;
	}
}

uint64_t ring_lost(const struct ring *ring)
{
	return ring->shared->lost + ring->given_up;
}
