/* SPDX-License-Identifier: MIT */
#include "cli/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Missing in the headers of glibc before 2.38. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* Hardened systems refuse the call without MFD_NOEXEC_SEAL; kernels before 6.3 with it. */
static int make_file(void)
{
	static const char name[] = "noiommu-shim-trace";
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create(name, flags) : fd;
}

int ring_make(struct ring *ring)
{
	const size_t size = sizeof(*ring->shared);

	*ring = (struct ring){.fd = make_file()};
	if (ring->fd < 0 || ftruncate(ring->fd, (off_t)size) ||
	    fcntl(ring->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
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

/* True if the reader has waited too long at position next. */
static bool is_late(struct ring *ring, uint64_t now, bool over)
{
	if (!ring->waiting_since)
		ring->waiting_since = now;
	return over || now - ring->waiting_since >= RING_PATIENCE;
}

/* Frees the slot at next if its writer is late. False: the writer may still complete it. */
static bool give_up(struct ring *ring, struct trace_event *slot, uint64_t now, bool over)
{
	uint64_t turn = ring->next;

	if (!is_late(ring, now, over))
		return false;
	/* If the writer has completed it after all, it is read. */
	if (atomic_compare_exchange_strong(&slot->sequence, &turn, ring->next + TRACE_SLOTS)) {
		ring->given_up++;
		ring->next++;
	}
	ring->waiting_since = 0;
	return true;
}

/* False if writers and readers that keep to the rules cannot have caused these numbers. */
static bool is_sound(const struct ring *ring, uint64_t turn, uint64_t head)
{
	const struct trace_ring *shared = ring->shared;

	return shared->magic == TRACE_MAGIC && shared->version == TRACE_VERSION &&
	       shared->slots == TRACE_SLOTS && head - ring->next <= TRACE_SLOTS &&
	       turn - ring->next <= 1;
}

static void read_event(struct ring *ring, struct trace_event *slot, struct trace_event *event)
{
	memcpy(event, slot, sizeof(*event));
	if (event->length > TRACE_DATA)
		event->length = TRACE_DATA;
	atomic_store_explicit(&slot->sequence, ring->next + TRACE_SLOTS, memory_order_release);
	ring->next++;
	ring->waiting_since = 0;
}

bool ring_next(struct ring *ring, struct trace_event *event, uint64_t now, bool over)
{
	/* A program that only moves head must not keep this loop busy for ever. */
	for (unsigned int n = 0; n <= TRACE_SLOTS && !ring->damaged; n++) {
		struct trace_event *slot = &ring->shared->events[ring->next % TRACE_SLOTS];
		uint64_t turn = atomic_load_explicit(&slot->sequence, memory_order_acquire);
		uint64_t head = atomic_load_explicit(&ring->shared->head, memory_order_relaxed);

		if (!is_sound(ring, turn, head)) {
			ring->damaged = is_late(ring, now, over);
			break;
		}
		if (head == ring->next) {
			ring->waiting_since = 0;
			break;
		}
		if (turn == ring->next + 1) {
			read_event(ring, slot, event);
			return true;
		}
		if (!give_up(ring, slot, now, over))
			break;
	}
	return false;
}

uint64_t ring_lost(const struct ring *ring)
{
	return ring->shared->lost + ring->given_up;
}
