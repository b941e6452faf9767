/* SPDX-License-Identifier: MIT */
#include "base/event.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/probe.h"
#include "base/sys.h"

_Atomic(unsigned int) attention;
static struct trace_ring *_Atomic event_ring;

uint64_t event_now(void)
{
	struct timespec now = {0};

	sys_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/*
 * A failed attempt means that another writer was faster, or that the program has
 * overwritten the ring. In the latter case the writer must not loop forever.
 */
#define TRIES 1000

/* Claims a slot and its position for this writer. NULL: the ring is full or damaged. */
static struct trace_event *take(struct trace_ring *ring, uint64_t *position)
{
	uint64_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);

	for (int tries = 0; tries < TRIES; tries++) {
		struct trace_event *slot = &ring->events[at % TRACE_SLOTS];
		uint64_t turn = atomic_load_explicit(&slot->sequence, memory_order_acquire);

		if (turn < at || turn > at + TRACE_SLOTS)
			return NULL;
		if (turn > at)
			at = atomic_load_explicit(&ring->head, memory_order_relaxed);
		else if (atomic_compare_exchange_weak_explicit(&ring->head, &at, at + 1,
							       memory_order_relaxed,
							       memory_order_relaxed)) {
			*position = at;
			return slot;
		}
	}
	return NULL;
}

void event_put(struct trace_event *event)
{
	struct trace_ring *ring = event_ring;
	const size_t body = offsetof(struct trace_event, time);
	uint64_t now = event_now(), position;
	struct trace_event *slot;

	if (!ring)
		return;
	if (!event->time)
		event->time = now;
	event->took = now - event->time;
	event->pid = sys_getpid();
	event->tid = (int32_t)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	slot = take(ring, &position);
	if (!slot) {
		atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
		return;
	}
	memcpy((char *)slot + body, (char *)event + body,
	       offsetof(struct trace_event, data) - body + event->length);
	/* The reader may have given this slot up meanwhile. */
	if (!atomic_compare_exchange_strong_explicit(&slot->sequence, &position, position + 1,
						     memory_order_release, memory_order_relaxed))
		atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
}

/* ---- the library's own system calls ---- */

static sys_call_fn *unwatched;

/* iommufd and VFIO share one ioctl type, in the second byte of the request. */
#define IOMMUFD_TYPE ';'

static void tell_ioctl(uint64_t start, int fd, unsigned int cmd, const void *arg, long ret)
{
	struct trace_event event = {
		.kind = TRACE_IOCTL,
		.nested = 1,
		.time = start,
		.fd = fd,
		.args = {cmd, (uintptr_t)arg},
		.result = ret,
	};
	uint32_t size;

	/* The argument is always a structure of the library's own, which begins with its size. */
	if (arg) {
		memcpy(&size, arg, sizeof(size));
		event.length = size < TRACE_DATA ? (uint16_t)size : TRACE_DATA;
		memcpy(event.data, arg, event.length);
	}
	event_put(&event);
}

static void tell_open(uint64_t start, const char *path, int flags, long ret)
{
	struct trace_event event = {
		.kind = TRACE_OPEN,
		.nested = 1,
		.time = start,
		.fd = -1,
		.args = {(unsigned int)flags},
		.result = ret,
	};

	event_set_text(&event, path);
	event_put(&event);
}

static long watched(long nr, long a, long b, long c, long d, long e, long f)
{
	bool is_ioctl = nr == SYS_ioctl && (b >> 8 & 0xff) == IOMMUFD_TYPE;
	bool is_open = nr == SYS_openat && !strncmp((const char *)b, "/dev/", 5);
	uint64_t start;
	long ret;

	if (!is_ioctl && !is_open)
		return unwatched(nr, a, b, c, d, e, f);
	start = event_now();
	ret = unwatched(nr, a, b, c, d, e, f);
	if (is_ioctl)
		tell_ioctl(start, (int)a, (unsigned int)b, (const void *)c, ret);
	else
		tell_open(start, (const char *)b, (int)c, ret);
	return ret;
}

static void tell_start(void)
{
	struct trace_event event = {.kind = TRACE_START, .fd = -1};
	char file[TRACE_DATA];
	ssize_t len = sys_readlinkat(AT_FDCWD, "/proc/self/exe", file, sizeof(file) - 1);

	file[len > 0 ? len : 0] = '\0';
	event_set_text(&event, file);
	event_put(&event);
}

/*
 * Returns 0 if the file may be mapped. Shrinking a mapped file would kill its readers by
 * SIGBUS, so it must be sealed; only a memfd has seals.
 */
static int check_file(int fd)
{
	long seals = sys_fcntl(fd, F_GET_SEALS, 0);
	struct stat st;
	int ret;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPROTO;
	ret = sys_fstat(fd, &st);
	if (ret)
		return ret;
	return st.st_size == sizeof(struct trace_ring) ? 0 : -EPROTO;
}

static struct trace_ring *map_ring(int fd)
{
	return (void *)sys_call(SYS_mmap, 0, sizeof(struct trace_ring), PROT_READ | PROT_WRITE,
				MAP_SHARED, fd, 0);
}

int event_open(const char *path)
{
	/* The file can be of any type: opening it must neither block nor take a terminal. */
	int fd = sys_open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct trace_ring *ring;
	int ret;

	if (fd < 0)
		return fd;
	ret = check_file(fd);
	ring = ret ? NULL : map_ring(fd);
	sys_close(fd);
	if (ret)
		return ret;
	if (sys_is_error(ring))
		return (int)(intptr_t)ring;
	if (ring->magic != TRACE_MAGIC || ring->version != TRACE_VERSION ||
	    ring->slots != TRACE_SLOTS) {
		sys_munmap(ring, sizeof(*ring));
		return -EPROTO;
	}
	unwatched = sys_call;
	event_ring = ring;
	attention_set(ATTENTION_TRACE, true);
	sys_call = watched;
	tell_start();
	return 0;
}

/* ---- the points ---- */

void event_set_text(struct trace_event *event, const char *text)
{
	size_t len = strlen(text) + 1;

	event->length = len < TRACE_DATA ? (uint16_t)len : TRACE_DATA;
	memcpy(event->data, text, event->length);
	event->data[event->length - 1] = '\0';
}

#define RUNS (TRACE_DATA / sizeof(struct trace_run))

/* The number of entries, of n, that form one run with the first. */
static size_t run_length(const uint64_t *entries, size_t n)
{
	uint64_t step = *entries & TRACE_PRESENT && *entries & TRACE_FRAME;
	size_t len = 1;

	while (len < n && entries[len] == *entries + len * step)
		len++;
	return len;
}

void event_put_lookup(uint64_t start, int fd, uint64_t va, const uint64_t *entries, size_t n,
		      size_t changed, int ret)
{
	/* A failed lookup hands out nothing, and a scan is too long to record. */
	size_t told = ret || n > TRACE_SCAN_PAGES ? 0 : n;
	size_t done = 0;

	do {
		struct trace_event event = {
			.kind = TRACE_LOOKUP,
			.object = TRACE_PAGEMAP,
			.time = start,
			.fd = fd,
			.args = {va, n, changed, done},
			.result = ret,
		};
		struct trace_run runs[RUNS] = {{0}};
		size_t count;

		for (count = 0; count < RUNS && done < told; count++) {
			size_t len = run_length(entries + done, told - done);

			runs[count] = (struct trace_run){entries[done], len};
			done += len;
		}
		event.length = (uint16_t)(count * sizeof(*runs));
		memcpy(event.data, runs, event.length);
		event_put(&event);
	} while (done < told);
}

static void put(enum trace_kind kind, uint64_t first, uint64_t second, const char *text, int ret)
{
	struct trace_event event = {
		.kind = (uint8_t)kind,
		.nested = 1,
		.fd = -1,
		.args = {first, second},
		.result = ret,
	};

	if (text)
		event_set_text(&event, text);
	event_put(&event);
}

static void put_backend(enum trace_kind kind, uint64_t first, uint64_t second, uint64_t third,
			int ret)
{
	uint32_t backend = atomic_load_explicit(&shim_state.backend, memory_order_relaxed);
	struct trace_event event = {
		.kind = (uint8_t)kind,
		.nested = 1,
		.fd = -1,
		.args = {first, second, third, backend},
		.result = ret,
	};

	event_put(&event);
}

void event_pin(uint64_t va, uint64_t len, uint64_t page_size, int ret)
{
	probe(pin, va, len, page_size, ret);
	if (event_wanted())
		put_backend(TRACE_PIN, va, len, page_size, ret);
}

void event_unpin(uint64_t va, uint64_t len)
{
	probe(unpin, va, len);
	if (event_wanted())
		put(TRACE_UNPIN, va, len, NULL, 0);
}

void event_renew(uint64_t pins)
{
	if (event_wanted())
		put_backend(TRACE_RENEW, pins, 0, 0, 0);
}

void event_attach(const char *name, bool lending, int ret)
{
	probe(attach, name, lending, ret);
	if (event_wanted())
		put(TRACE_ATTACH, lending, 0, name, ret);
}

void event_fallback(const char *why, int ret)
{
	probe(fallback, why, ret);
	if (event_wanted())
		put(TRACE_FALLBACK, 0, 0, why, ret);
}

void event_failure(const char *what, uint64_t va, int error)
{
	if (event_wanted())
		put(TRACE_FAILURE, va, 0, what, error);
}
