/* SPDX-License-Identifier: MIT */
/* The ring of events, its writers in the library and its reader in the command. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/event.h"
#include "base/state.h"
#include "base/sys.h"
#include "cli/ring.h"
#include "suites.h"

static struct ring ring;

static bool next(struct trace_event *event)
{
	return ring_next(&ring, event, event_now(), false);
}

static void setup(void)
{
	struct trace_event event;

	ck_assert_int_eq(ring_make(&ring), 0);
	ck_assert_int_eq(event_open(ring_path(&ring)), 0);
	ck_assert(event_wanted());
	ck_assert(next(&event));
	ck_assert_int_eq(event.kind, TRACE_START);
}

static void teardown(void)
{
	attention_set(ATTENTION_TRACE, false);
	sys_call = sys_call_kernel;
}

static void put(uint64_t number)
{
	struct trace_event event = {.kind = TRACE_RELEASE, .args = {number, ~number}};

	event_put(&event);
}

static void expect(uint64_t number)
{
	struct trace_event event;

	ck_assert(next(&event));
	ck_assert_uint_eq(event.args[0], number);
	ck_assert_uint_eq(event.args[1], ~number);
}

START_TEST(events_come_in_order)
{
	struct trace_event event;

	put(1);
	put(2);
	ck_assert(next(&event));
	ck_assert_int_eq(event.kind, TRACE_RELEASE);
	ck_assert_int_eq(event.pid, getpid());
	ck_assert_uint_eq(event.args[0], 1);
	expect(2);
	ck_assert(!next(&event));
	ck_assert_uint_eq(ring_lost(&ring), 0);
}
END_TEST

START_TEST(full_ring_drops_and_counts)
{
	for (int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < TRACE_SLOTS + 5; i++)
			put(i);
		for (unsigned int i = 0; i < TRACE_SLOTS; i++)
			expect(i);
		ck_assert_uint_eq(ring_lost(&ring), (uint64_t)(round + 1) * 5);
	}
}
END_TEST

/* What a writer that is killed has done by then, at the worst. */
static uint64_t take_place(void)
{
	return atomic_fetch_add(&ring.shared->head, 1);
}

START_TEST(dead_writer_holds_nobody_up)
{
	struct trace_event event;
	uint64_t now = event_now(), place;

	put(1);
	place = take_place();
	put(2);
	expect(1);
	ck_assert(!ring_next(&ring, &event, now, false));
	ck_assert(!ring_next(&ring, &event, now + RING_PATIENCE - 1, false));
	ck_assert(ring_next(&ring, &event, now + RING_PATIENCE, false));
	ck_assert_uint_eq(event.args[0], 2);
	ck_assert_uint_eq(ring_lost(&ring), 1);
	/* The next round has its place free again, and whoever comes late does not take it. */
	ck_assert(!atomic_compare_exchange_strong(&ring.shared->events[place].sequence, &place,
						  place + 1));
	for (unsigned int i = 0; i < TRACE_SLOTS; i++)
		put(i);
	for (unsigned int i = 0; i < TRACE_SLOTS; i++)
		expect(i);
	ck_assert_uint_eq(ring_lost(&ring), 1);
}
END_TEST

START_TEST(nobody_is_waited_for_at_the_end)
{
	struct trace_event event;

	take_place();
	put(1);
	ck_assert(ring_next(&ring, &event, event_now(), true));
	ck_assert_uint_eq(event.args[0], 1);
	ck_assert(!ring_next(&ring, &event, event_now(), true));
}
END_TEST

/* Nothing is read out of a ring that no writer can have made. */
static void expect_damage(void)
{
	struct trace_event event;
	unsigned int n = 0;

	while (ring_next(&ring, &event, event_now(), true))
		ck_assert_uint_le(event.length, TRACE_DATA);
	ck_assert(ring.damaged);
	while (ring_next(&ring, &event, event_now(), false))
		n++;
	ck_assert_uint_eq(n, 0);
}

static void wild_head(void)
{
	ring.shared->head = UINT64_MAX;
}

static void head_that_goes_back(void)
{
	put(1);
	expect(1);
	ring.shared->head = 1;
}

static void wild_sequence(void)
{
	put(1);
	ring.shared->events[ring.next].sequence = UINT64_MAX / 2;
}

static void other_magic(void)
{
	ring.shared->magic++;
}

static void holes(void)
{
	ck_assert(!fallocate(ring.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     sizeof(*ring.shared)));
}

START_TEST(reader_stops_where_the_ring_is_overwritten)
{
	static void (*const damages[])(void) = {
		wild_head, head_that_goes_back, wild_sequence, other_magic, holes,
	};

	put(1);
	expect(1);
	damages[_i]();
	expect_damage();
	/* Nor does a writer wait for anything. */
	put(2);
}
END_TEST

START_TEST(numbers_that_are_wrong_for_a_moment)
{
	struct trace_event event;
	uint64_t now = event_now();

	put(1);
	ring.shared->head = 0;
	ck_assert(!ring_next(&ring, &event, now, false));
	ck_assert(!ring_next(&ring, &event, now + RING_PATIENCE - 1, false));
	ring.shared->head = ring.next + 1;
	expect(1);
	ck_assert(!next(&event));
	ring.shared->head = 0;
	ck_assert(!ring_next(&ring, &event, now + 2 * RING_PATIENCE, false));
	ck_assert(!ring.damaged);
	ck_assert(!ring_next(&ring, &event, now + 3 * RING_PATIENCE, false));
	ck_assert(ring.damaged);
}
END_TEST

START_TEST(writer_gives_up_on_a_wild_sequence)
{
	for (unsigned int i = 0; i < TRACE_SLOTS; i++)
		ring.shared->events[i].sequence += 10;
	put(1);
	ck_assert_uint_eq(ring_lost(&ring), 1);
}
END_TEST

START_TEST(random_bytes_harm_nobody)
{
	const size_t size = _i % 2 ? sizeof(*ring.shared) : 64 * sizeof(struct trace_event);
	unsigned char *bytes = (unsigned char *)ring.shared + (_i & 2 ? 128 : 0);
	struct trace_event event;
	unsigned int n = 0;

	srandom((unsigned int)_i);
	for (size_t i = 0; i < size && bytes + i < (unsigned char *)(ring.shared + 1); i++)
		bytes[i] = (unsigned char)(random() >> 7);
	/* With a head and turns that pass. */
	if (_i & 4) {
		ring.shared->magic = TRACE_MAGIC;
		ring.shared->version = TRACE_VERSION;
		ring.shared->slots = TRACE_SLOTS;
		ring.shared->head = ring.next + TRACE_SLOTS;
		for (uint64_t i = ring.next; i < ring.next + TRACE_SLOTS; i++)
			ring.shared->events[i % TRACE_SLOTS].sequence = i + 1;
	}
	for (; ring_next(&ring, &event, event_now(), true); n++)
		ck_assert_uint_le(event.length, TRACE_DATA);
	ck_assert_uint_eq(n, _i & 4 ? TRACE_SLOTS : 0);
	put(1);
}
END_TEST

START_TEST(nobody_shortens_the_ring)
{
	char path[] = "/tmp/noiommu-shim-ring-XXXXXX";
	int fd = mkstemp(path);

	ck_assert(ftruncate(ring.fd, 0) && errno == EPERM);
	ck_assert(ftruncate(ring.fd, 2 * sizeof(*ring.shared)) && errno == EPERM);
	ck_assert(fcntl(ring.fd, F_ADD_SEALS, F_SEAL_WRITE) && errno == EPERM);
	put(1);
	expect(1);
	/* And what somebody could shorten is no ring. */
	teardown();
	ck_assert(write(fd, ring.shared, sizeof(*ring.shared)) == sizeof(*ring.shared));
	ck_assert_int_eq(event_open(path), -EPROTO);
	ck_assert(!event_wanted());
	close(fd);
	unlink(path);
}
END_TEST

#define WRITERS 4
#define EVENTS	50000

static void *write_many(void *arg)
{
	for (uint64_t i = 0; i < EVENTS; i++)
		put((uintptr_t)arg << 32U | i);
	return NULL;
}

START_TEST(many_writers_and_a_reader)
{
	uint64_t seen = 0, last[WRITERS] = {0};
	pthread_t threads[WRITERS];
	struct trace_event event;
	bool over = false;

	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, write_many, (void *)i);
	while (!over) {
		over = atomic_load(&ring.shared->head) + ring_lost(&ring) >= WRITERS * EVENTS;
		if (over)
			for (int i = 0; i < WRITERS; i++)
				pthread_join(threads[i], NULL);
		while (ring_next(&ring, &event, event_now(), over)) {
			uint64_t writer = event.args[0] >> 32U,
				 number = event.args[0] << 32U >> 32U;

			ck_assert_uint_eq(event.args[1], ~event.args[0]);
			ck_assert_uint_lt(writer, WRITERS);
			ck_assert(!number || number > last[writer]);
			last[writer] = number;
			seen++;
		}
	}
	ck_assert_uint_eq(seen + ring_lost(&ring), WRITERS * EVENTS);
}
END_TEST

START_TEST(killed_writers)
{
	struct trace_event event;
	uint64_t seen = 0;

	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (!child)
			for (;;)
				put(7);
		while (!next(&event))
			;
		usleep(500);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		while (ring_next(&ring, &event, event_now(), true))
			ck_assert_uint_eq(event.args[1], ~UINT64_C(7));
	}
	put(8);
	while (next(&event))
		seen += event.args[0] == 8;
	ck_assert_uint_eq(seen, 1);
}
END_TEST

/* Looks n entries up; what comes out of the ring must be the same. Returns the events it took. */
static unsigned int look_up(const uint64_t *entries, uint64_t n)
{
	struct trace_event event;
	unsigned int events = 0;
	uint64_t done = 0;

	event_lookup(event_now(), 5, 0x1000, entries, n, 3, 0);
	for (; next(&event); events++) {
		const struct trace_run *run = (const struct trace_run *)event.data;
		size_t runs = event.length / sizeof(*run);

		ck_assert_int_eq(event.kind, TRACE_LOOKUP);
		ck_assert_uint_eq(event.args[1], n);
		ck_assert_uint_eq(event.args[2], 3);
		ck_assert_uint_eq(event.args[3], done);
		for (; runs--; run++)
			for (uint64_t i = 0; i < run->pages; i++) {
				bool moves = run->entry & TRACE_PRESENT && run->entry & TRACE_FRAME;

				ck_assert_uint_eq(entries[done++], run->entry + (moves ? i : 0));
			}
	}
	ck_assert_uint_eq(done, n);
	return events;
}

START_TEST(lookups_come_in_runs)
{
	uint64_t entries[100] = {0};

	ck_assert_uint_eq(look_up(entries, 100), 1);
	for (uint64_t i = 0; i < 100; i++)
		entries[i] = TRACE_PRESENT | (77 + i);
	ck_assert_uint_eq(look_up(entries, 100), 1);
	entries[50] = TRACE_PRESENT;
	entries[51] = TRACE_PRESENT;
	ck_assert_uint_eq(look_up(entries, 100), 1);
	for (uint64_t i = 0; i < 100; i++)
		entries[i] = TRACE_PRESENT | (77 + 2 * i);
	ck_assert_uint_eq(look_up(entries, 100), 10);
	ck_assert_uint_eq(look_up(entries, 1), 1);
}
END_TEST

START_TEST(scans_and_failures_are_one_event)
{
	static uint64_t entries[TRACE_SCAN_PAGES + 1];
	struct trace_event event;

	event_lookup(event_now(), 5, 0, entries, TRACE_SCAN_PAGES + 1, 0, 0);
	event_lookup(event_now(), 5, 0, entries, 1, 0, -EPERM);
	ck_assert(next(&event));
	ck_assert_uint_eq(event.length, 0);
	ck_assert(next(&event));
	ck_assert_uint_eq(event.length, 0);
	ck_assert_int_eq(event.result, -EPERM);
	ck_assert(!next(&event));
}
END_TEST

START_TEST(long_text_is_cut)
{
	char text[2 * TRACE_DATA];
	struct trace_event event;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	event_fallback(text, 0);
	ck_assert(next(&event));
	ck_assert_uint_eq(event.length, TRACE_DATA);
	ck_assert_uint_eq(strlen((char *)event.data), TRACE_DATA - 1);
}
END_TEST

START_TEST(pins_say_what_pins)
{
	struct trace_event event;

	state_set(backend, STATE_BACKEND_URING);
	event_pin(0x1000, 0x2000, 0x1000, 0);
	state_set(backend, STATE_BACKEND_IOMMUFD);
	event_renew(3);
	ck_assert(next(&event));
	ck_assert_int_eq(event.kind, TRACE_PIN);
	ck_assert_uint_eq(event.args[3], STATE_BACKEND_URING);
	ck_assert(next(&event));
	ck_assert_int_eq(event.kind, TRACE_RENEW);
	ck_assert(event.nested);
	ck_assert_uint_eq(event.args[0], 3);
	ck_assert_uint_eq(event.args[3], STATE_BACKEND_IOMMUFD);
	ck_assert(!next(&event));
}
END_TEST

START_TEST(what_the_library_does_underneath)
{
	uint32_t arg[2] = {sizeof(arg), 77};
	struct trace_event event;

	sys_ioctl(-1, 0x3b80, arg);
	sys_getpid();
	sys_open("/dev/null", O_RDONLY);
	ck_assert(next(&event));
	ck_assert_int_eq(event.kind, TRACE_IOCTL);
	ck_assert(event.nested);
	ck_assert_int_eq(event.result, -EBADF);
	ck_assert_uint_eq(event.length, sizeof(arg));
	ck_assert(!memcmp(event.data, arg, sizeof(arg)));
	ck_assert(next(&event));
	ck_assert_int_eq(event.kind, TRACE_OPEN);
	ck_assert_str_eq((char *)event.data, "/dev/null");
	ck_assert(!next(&event));
}
END_TEST

START_TEST(other_files_are_no_ring)
{
	teardown();
	ck_assert_int_eq(event_open("/proc/self/nothing"), -ENOENT);
	ck_assert_int_eq(event_open("/dev/null"), -EPROTO);
	ring.shared->version++;
	ck_assert_int_eq(event_open(ring_path(&ring)), -EPROTO);
	ck_assert(!event_wanted());
}
END_TEST

Suite *suite_event(void)
{
	Suite *suite = suite_create("event");
	TCase *tests = tcase_create("event");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, events_come_in_order);
	tcase_add_test(tests, full_ring_drops_and_counts);
	tcase_add_test(tests, dead_writer_holds_nobody_up);
	tcase_add_test(tests, nobody_is_waited_for_at_the_end);
	tcase_add_loop_test(tests, reader_stops_where_the_ring_is_overwritten, 0, 5);
	tcase_add_test(tests, numbers_that_are_wrong_for_a_moment);
	tcase_add_test(tests, writer_gives_up_on_a_wild_sequence);
	tcase_add_loop_test(tests, random_bytes_harm_nobody, 0, 64);
	tcase_add_test(tests, nobody_shortens_the_ring);
	tcase_add_test(tests, many_writers_and_a_reader);
	tcase_add_test(tests, killed_writers);
	tcase_add_test(tests, lookups_come_in_runs);
	tcase_add_test(tests, scans_and_failures_are_one_event);
	tcase_add_test(tests, long_text_is_cut);
	tcase_add_test(tests, pins_say_what_pins);
	tcase_add_test(tests, what_the_library_does_underneath);
	tcase_add_test(tests, other_files_are_no_ring);
	suite_add_tcase(suite, tests);
	return suite;
}
