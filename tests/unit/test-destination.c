/* SPDX-License-Identifier: MIT */
/* Where the log goes, and whom it must not disturb, on the real kernel. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/quiet.h"
#include "base/sys.h"
#include "suites.h"

static int before; /* the tests' own standard error */
static int reader; /* of what the log is written to */

/* A call that waits ends the test. */
static void setup(void)
{
	sys_call = sys_call_kernel;
	before = dup(2);
	reader = -1;
	alarm(20);
}

static void begin(void)
{
	struct lock_saved saved = lock_enter();

	log_start();
	lock_leave(saved);
}

static void teardown(void)
{
	alarm(0);
	dup2(before, 2);
	close(before);
	if (reader >= 0)
		close(reader);
	sys_call = sys_call_kernel;
	begin();
}

/* fd is standard error when the log begins. */
static void begin_with(int fd)
{
	ck_assert_int_ge(fd, 0);
	dup2(fd, 2);
	close(fd);
	begin();
}

static void begin_with_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	reader = ends[0];
	begin_with(ends[1]);
}

/* A file in memory that has no name; reader is another open file of it. */
static int make_file(void)
{
	char path[] = "/tmp/noiommu-shim-test-XXXXXX";
	int fd = mkstemp(path);

	if (reader >= 0)
		close(reader);
	reader = open(path, O_RDONLY);
	unlink(path);
	return fd;
}

/* What is there to be read, as text. */
static const char *told(void)
{
	static char text[32768];
	struct pollfd poll_in = {.fd = reader, .events = POLLIN};
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < sizeof(text) - 1 && poll(&poll_in, 1, 0) == 1) {
		n = read(reader, text + len, sizeof(text) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
	return text;
}

static void drain(void)
{
	struct pollfd poll_in = {.fd = reader, .events = POLLIN};
	char text[4096];

	while (poll(&poll_in, 1, 0) == 1 && read(reader, text, sizeof(text)) > 0)
		;
}

static void fill(int fd)
{
	static const char some[4096] = "filled";
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	for (size_t len = sizeof(some); len; len /= 2)
		while (write(fd, some, len) > 0)
			;
	fcntl(fd, F_SETFL, flags);
}

#define assert_told(what)     ck_assert_ptr_nonnull(strstr(told(), what))
#define assert_nothing_told() ck_assert_str_eq(told(), "")

START_TEST(pipe_that_is_full)
{
	begin_with_pipe();
	log_error("first");
	assert_told("error: first\n");
	fill(2);
	log_error("second");
	log_error("third");
	ck_assert_int_eq(fcntl(2, F_GETFL) & O_NONBLOCK, 0);
	drain();
	log_error("fourth");
	ck_assert_ptr_nonnull(strstr(told(), "written: 2\n"));
	log_error("fifth");
	ck_assert_ptr_null(strstr(told(), "lost"));
}
END_TEST

/* Opened by its name it takes no flag that forbids to wait. */
START_TEST(fifo_that_is_full)
{
	char path[] = "/tmp/noiommu-shim-test-XXXXXX", name[64];

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/fifo", path);
	ck_assert_int_eq(mkfifo(name, 0600), 0);
	reader = open(name, O_RDONLY | O_NONBLOCK);
	begin_with(open(name, O_WRONLY));
	unlink(name);
	rmdir(path);
	log_error("first");
	assert_told("error: first\n");
	fill(2);
	log_error("second");
	drain();
	log_error("third");
	ck_assert_ptr_nonnull(strstr(told(), "written: 1\n"));
}
END_TEST

START_TEST(socket_that_is_full)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, _i ? SOCK_DGRAM : SOCK_STREAM, 0, ends), 0);
	reader = ends[0];
	begin_with(ends[1]);
	log_error("first");
	assert_told("error: first\n");
	fill(2);
	log_error("second");
	drain();
	log_error("third");
	assert_told("error: third\n");
}
END_TEST

static int make_terminal(void)
{
	reader = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert_int_ge(reader, 0);
	grantpt(reader);
	unlockpt(reader);
	return open(ptsname(reader), O_RDWR | O_NOCTTY);
}

START_TEST(terminal_that_is_stopped)
{
	begin_with(make_terminal());
	log_error("first");
	assert_told("error: first\r\n");
	ck_assert_int_eq(tcflow(2, TCOOFF), 0);
	log_error("second");
	assert_nothing_told();
	ck_assert_int_eq(tcflow(2, TCOON), 0);
	log_error("third");
	ck_assert_ptr_nonnull(strstr(told(), "written: 1\r\n"));
}
END_TEST

/* It can be left with room for a part of a line only. */
START_TEST(terminal_that_nobody_reads)
{
	char text[400];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	begin_with(make_terminal());
	for (int i = 0; i < 100; i++)
		log_error("%s", text + i);
	drain();
	log_error("at last");
	assert_told("error: at last\r\n");
}
END_TEST

static volatile sig_atomic_t caught;

static void catch (int sig)
{
	caught = sig;
}

/* With their default actions these would end the test. */
START_TEST(nobody_reads_the_pipe)
{
	static void (*const actions[])(int) = {SIG_DFL, SIG_IGN, catch};
	sigset_t pending;

	signal(SIGPIPE, actions[_i]);
	begin_with_pipe();
	close(reader);
	reader = -1;
	caught = 0;
	log_error("to nobody");
	ck_assert_int_eq(caught, 0);
	sigpending(&pending);
	ck_assert(!sigismember(&pending, SIGPIPE));
	signal(SIGPIPE, SIG_DFL);
}
END_TEST

/* The host's own, which it blocks for the time being, still comes. */
START_TEST(signal_of_the_host_stays)
{
	sigset_t set, pending;

	signal(SIGPIPE, catch);
	begin_with_pipe();
	close(reader);
	reader = -1;
	caught = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGPIPE);
	log_error("to nobody");
	sigpending(&pending);
	ck_assert(sigismember(&pending, SIGPIPE));
	ck_assert_int_eq(caught, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	ck_assert_int_eq(caught, SIGPIPE);
	signal(SIGPIPE, SIG_DFL);
}
END_TEST

START_TEST(file_that_may_not_grow)
{
	struct rlimit limit, small;
	ssize_t ret;

	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = 20;
	begin_with(make_file());
	setrlimit(RLIMIT_FSIZE, &small); /* no assertion from here on: these are written, too */
	log_error("cut off");
	log_error("too much");
	ret = quiet_write(2, "x", 1);
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(ret, -EFBIG);
	log_error("the end");
	ck_assert_ptr_eq(strstr(told(), "noiommu-shim["), told());
}
END_TEST

/* A line of which a part was written is ended before the next one. */
START_TEST(line_that_was_cut_is_ended)
{
	struct rlimit limit, small;
	const char *text;

	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = 20;
	begin_with(make_file());
	setrlimit(RLIMIT_FSIZE, &small);
	log_error("cut off");
	setrlimit(RLIMIT_FSIZE, &limit);
	log_error("the end");
	text = told();
	ck_assert_int_eq(text[20], '\n');
	ck_assert_ptr_nonnull(strstr(text, "written: 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "error: the end\n"));
}
END_TEST

/* Number 2 becomes a file of the host's, and standard error comes back. */
START_TEST(number_that_is_another_file)
{
	int away, file;

	begin_with_pipe();
	away = dup(2);
	file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	dup2(file, 2);
	log_error("lost");
	close(2);
	log_error("lost as well");
	ck_assert_int_eq(open("/dev/null", O_RDWR), 2);
	log_error("and again");
	ck_assert_int_eq(lseek(file, 0, SEEK_END), 0);
	assert_nothing_told();
	dup2(away, 2);
	close(away);
	close(file);
	log_error("back");
	ck_assert_ptr_nonnull(strstr(told(), "written: 3\n"));
}
END_TEST

/* The reader of a pipe must see when the host has closed it. */
START_TEST(closed_pipe_is_closed)
{
	char byte;

	begin_with_pipe();
	log_error("first");
	assert_told("error: first\n");
	close(2);
	ck_assert_int_eq(read(reader, &byte, 1), 0);
}
END_TEST

START_TEST(none_at_the_start)
{
	int file;

	close(2);
	begin();
	file = make_file();
	ck_assert_int_eq(file, 2);
	log_error("lost");
	assert_nothing_told();
}
END_TEST

static bool reborn;

static long another_birth(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret = sys_call_kernel(nr, a, b, c, d, e, f);
	struct uapi_statx *st = (void *)e;

	if (nr == SYS_statx && !ret) {
		st->mask |= UAPI_STATX_BTIME;
		st->btime.tv_nsec = reborn;
	}
	return ret;
}

/* A file is deleted, and the next one gets its number. */
START_TEST(number_of_a_file_that_is_gone)
{
	int fd = make_file();

	sys_call = another_birth;
	reborn = false;
	begin_with(fd);
	log_error("first");
	assert_told("error: first\n");
	reborn = true;
	log_error("second");
	assert_nothing_told();
}
END_TEST

/* The number of the hidden descriptor is taken by a call that nobody saw. */
START_TEST(log_file_that_was_closed)
{
	char path[] = "/tmp/noiommu-shim-test-XXXXXX";
	int log = mkstemp(path), highest = -1, other;
	struct lock_saved saved;

	begin_with_pipe();
	saved = lock_enter();
	ck_assert_int_eq(log_to_file(path), 0);
	lock_leave(saved);
	log_error("first");
	ck_assert_int_gt(lseek(log, 0, SEEK_END), 0);
	assert_nothing_told();
	for (int fd = 0; fd < 65536; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			highest = fd;
	other = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	dup2(other, highest);
	log_error("second");
	ck_assert_int_eq(lseek(other, 0, SEEK_END), 0);
	assert_told("error: second\n");
	close(other);
	close(highest);
	close(log);
	unlink(path);
}
END_TEST

/* ---- under the lock ---- */

START_TEST(waits_for_the_lock)
{
	struct lock_saved saved;
	const char *text;

	begin_with_pipe();
	saved = lock_enter();
	log_error("first");
	log_error("second");
	assert_nothing_told();
	lock_leave(saved);
	text = told();
	ck_assert_ptr_nonnull(strstr(text, "error: first\n"));
	ck_assert(strstr(text, "first") < strstr(text, "second"));
	saved = lock_enter();
	lock_leave(saved);
	assert_nothing_told();
}
END_TEST

START_TEST(more_than_can_wait)
{
	struct lock_saved saved;
	unsigned int lines = 0, lost;
	const char *text;

	begin_with_pipe();
	for (int round = 0; round < 3; round++) {
		saved = lock_enter();
		for (int i = 0; i < 100; i++)
			log_error("line %d", i);
		lock_leave(saved);
		lines = 0;
		text = told();
		ck_assert_int_eq(sscanf(strstr(text, "written:"), "written: %u", &lost), 1);
		for (; *text; text++)
			lines += *text == '\n';
		ck_assert_uint_eq(lines - 1 + lost, 100);
	}
}
END_TEST

static unsigned int writes, bad_writes;

/* A write as the rules are: the lock is free, and what ends a process can. */
static long checks_writes(long nr, long a, long b, long c, long d, long e, long f)
{
	sigset_t mask;

	if (nr == SYS_pwritev2 || nr == SYS_write || nr == SYS_sendto) {
		writes++;
		sigprocmask(SIG_SETMASK, NULL, &mask);
		if (sigismember(&mask, SIGTERM))
			bad_writes++;
		lock_leave(lock_enter()); /* waits for ever when it is held */
	}
	return sys_call_kernel(nr, a, b, c, d, e, f);
}

START_TEST(written_with_signals_open)
{
	struct lock_saved saved;

	begin_with_pipe();
	writes = bad_writes = 0;
	sys_call = checks_writes;
	saved = lock_enter();
	log_error("first");
	lock_leave(saved);
	log_error("second");
	ck_assert_uint_eq(writes, 2);
	ck_assert_uint_eq(bad_writes, 0);
}
END_TEST

/* An eventfd takes a write for a number, a device for what it likes. */
START_TEST(neither_file_nor_terminal)
{
	begin_with(_i ? open("/dev/null", O_RDWR) : eventfd(0, EFD_NONBLOCK));
	writes = 0;
	sys_call = checks_writes;
	log_error("lost");
	ck_assert_uint_eq(writes, 0);
}
END_TEST

/* Nothing is opened and written for it, and nothing counts as lost. */
START_TEST(null_device_as_log_file)
{
	char path[] = "/tmp/noiommu-shim-test-XXXXXX";
	struct lock_saved saved;

	begin_with_pipe();
	saved = lock_enter();
	ck_assert_int_eq(log_to_file("/dev/null"), 0);
	lock_leave(saved);
	writes = 0;
	sys_call = checks_writes;
	log_error("not told");
	ck_assert_uint_eq(writes, 0);
	close(mkstemp(path));
	saved = lock_enter();
	ck_assert_int_eq(log_to_file(path), 0);
	lock_leave(saved);
	log_error("told");
	ck_assert_uint_eq(writes, 1);
	unlink(path);
}
END_TEST

/* By a call that runs no handlers of pthread_atfork(). */
START_TEST(child_says_nothing_twice)
{
	struct lock_saved saved;
	const char *text;
	int status;
	pid_t child;

	begin_with_pipe();
	saved = lock_enter();
	log_error("once");
	child = (pid_t)sys_call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (!child) {
		lock_leave(saved);
		log_error("from the child");
		_exit(0);
	}
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	lock_leave(saved);
	text = told();
	ck_assert_ptr_nonnull(strstr(text, "from the child\n"));
	ck_assert_ptr_nonnull(strstr(text, "once"));
	ck_assert_ptr_null(strstr(strstr(text, "once") + 1, "once"));
}
END_TEST

Suite *suite_destination(void)
{
	Suite *suite = suite_create("destination");
	TCase *tc = tcase_create("destination");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, pipe_that_is_full);
	tcase_add_test(tc, fifo_that_is_full);
	tcase_add_loop_test(tc, socket_that_is_full, 0, 2);
	tcase_add_test(tc, terminal_that_is_stopped);
	tcase_add_test(tc, terminal_that_nobody_reads);
	tcase_add_loop_test(tc, nobody_reads_the_pipe, 0, 3);
	tcase_add_test(tc, signal_of_the_host_stays);
	tcase_add_test(tc, file_that_may_not_grow);
	tcase_add_test(tc, line_that_was_cut_is_ended);
	tcase_add_test(tc, number_that_is_another_file);
	tcase_add_test(tc, closed_pipe_is_closed);
	tcase_add_test(tc, none_at_the_start);
	tcase_add_loop_test(tc, neither_file_nor_terminal, 0, 2);
	tcase_add_test(tc, null_device_as_log_file);
	tcase_add_test(tc, number_of_a_file_that_is_gone);
	tcase_add_test(tc, log_file_that_was_closed);
	tcase_add_test(tc, waits_for_the_lock);
	tcase_add_test(tc, more_than_can_wait);
	tcase_add_test(tc, written_with_signals_open);
	tcase_add_test(tc, child_says_nothing_twice);
	suite_add_tcase(suite, tc);
	return suite;
}
