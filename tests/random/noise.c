/*
 * Threads and a timer that look up, map, fork and open all the time, on memory and
 * descriptors of their own. Nothing of the program may change by it, nor may any of their
 * calls fail.
 */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* After a while it gets quieter, so that it does not take all the time. */
#define LEAST_ROUNDS 3
#define MOST_ROUNDS  5

static struct {
	enum noise kind;
	bool runs;
	pthread_t thread;
	atomic_bool ends;
	atomic_int rounds;
	_Atomic(const char *) wrong;
	char *page;
} noise;

static uint64_t entry_of(const char *va)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)va >> PAGE_SHIFT) * 8) != 8)
		noise.wrong = "a lookup fails";
	close(fd);
	return entry;
}

static char *new_page(void)
{
	return mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void look_again(void)
{
	static uint64_t first;
	uint64_t entry = entry_of(noise.page) << 9;

	if (noise.rounds == 0)
		first = entry;
	if (entry != first)
		noise.wrong = "another address";
}

static void map_and_look(void)
{
	char *page = new_page();

	if (entry_of(page) >> 63 != 1)
		noise.wrong = "a page is absent";
	munmap(page, PAGE_SIZE);
}

static void fork_and_look(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		noise.page[0] = 1;
		_exit(entry_of(noise.page) >> 63 == 1 ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		noise.wrong = "a child fails";
}

static void open_files(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC), other;

	other = dup(fd);
	if (fd < 0 || other < 0 || close(fd) || close(other))
		noise.wrong = "a container does not open";
}

static void *make_noise(void *nothing)
{
	static void (*const rounds[])(void) = {look_again, map_and_look, fork_and_look, open_files};

	(void)nothing;
	while (!noise.ends || noise.rounds < LEAST_ROUNDS) {
		rounds[noise.kind]();
		noise.rounds++;
		usleep(noise.rounds < MOST_ROUNDS ? 200 : 20000);
	}
	return NULL;
}

static void on_alarm(int signal)
{
	int error = errno;

	(void)signal;
	look_again();
	noise.rounds++;
	errno = error;
}

static void set_timer(long us)
{
	struct itimerval timer = {{0, us}, {0, us}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

void noise_starts(enum noise kind)
{
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

	if (noise.runs) {
		say("noise: there is some");
		return;
	}
	numbers_unknown = true;
	if (kind == NOISE_FORK)
		memory_is_copied_anytime();
	noise.kind = kind;
	noise.runs = true;
	noise.ends = false;
	noise.rounds = 0;
	noise.wrong = NULL;
	noise.page = new_page();
	say("noise %d", kind);
	if (kind == NOISE_SIGNAL) {
		sigaction(SIGALRM, &action, NULL);
		look_again();
		noise.rounds = 1;
		set_timer(10000);
	} else {
		pthread_create(&noise.thread, NULL, make_noise, NULL);
	}
}

void noise_ends(void)
{
	if (!noise.runs) {
		say("noise: none");
		return;
	}
	if (noise.kind == NOISE_SIGNAL) {
		set_timer(0);
	} else {
		noise.ends = true;
		pthread_join(noise.thread, NULL);
	}
	noise.runs = false;
	munmap(noise.page, PAGE_SIZE);
	say("noise: %s", noise.wrong ? noise.wrong : "nothing wrong");
}
