/*
 * stress ROUNDS [SEED]
 *
 * Sixteen threads open, read, duplicate, control, close, map and unmap what is
 * the library's and what is not, with forks and signals between them; the
 * handler does what the threads do. Says nothing if every call came out as it
 * would for a thread alone. SIGALRM ends it if it hangs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 16
#define PAGES	4
#define PAGE	4096UL
#define PRESENT (UINT64_C(1) << 63)
#define LIMIT	600 /* seconds */

struct worker {
	pthread_t thread;
	unsigned int seed;
	char *page; /* of its own until the end */
};

static struct worker workers[THREADS];
static long rounds;
static __thread struct worker *self;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "stress: %s: %s\n", what, strerror(errno));
	abort();
}

static unsigned int random_below(unsigned int limit)
{
	return (unsigned int)rand_r(&self->seed) / 7 % limit;
}

/* Async-signal-safe; errno may be changed. */
static bool look_up(const void *memory, size_t pages)
{
	uint64_t entries[PAGES] = {0};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t len = (ssize_t)(pages * sizeof(*entries));
	bool right = pread(fd, entries, (size_t)len, (off_t)((uintptr_t)memory / PAGE * 8)) == len;

	for (size_t i = 0; i < pages; i++)
		right = right && entries[i] & PRESENT;
	return close(fd) == 0 && right;
}

static void on_signal(int number)
{
	int before = errno;

	(void)number;
	if (!self || !look_up(self->page, 1))
		abort();
	errno = before;
}

/* ---- what a thread does ------------------------------------------------- */

static void looks_up(void)
{
	need(look_up(self->page, 1), "a lookup");
}

static void maps(void)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	need(memory != MAP_FAILED, "mmap");
	need(look_up(memory, PAGES), "a lookup of new memory");
	need(mmap(memory, PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) == memory,
	     "mmap over");
	need(look_up(memory, PAGES), "a lookup of memory mapped over");
	need(munmap(memory, PAGES * PAGE) == 0, "munmap");
}

static void has_container(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR), other;

	need(fd >= 0, "open a container");
	other = random_below(2) ? dup(fd) : fcntl(fd, F_DUPFD_CLOEXEC, 100);
	need(other >= 0, "dup a container");
	need(ioctl(fd, VFIO_GET_API_VERSION) == VFIO_API_VERSION, "ioctl of a container");
	need((random_below(2) ? close(fd) : (int)syscall(SYS_close, fd)) == 0, "close");
	need(ioctl(other, VFIO_GET_API_VERSION) == VFIO_API_VERSION, "ioctl of its duplicate");
	need(close(other) == 0, "close a duplicate");
}

/* One at a time can have it. */
static void has_group(void)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	int fd = open("/dev/vfio/noiommu-0", O_RDWR);

	if (fd < 0) {
		need(errno == EBUSY, "open the group");
		return;
	}
	need(ioctl(fd, VFIO_GROUP_GET_STATUS, &status) == 0, "status of the group");
	need(close(fd) == 0, "close the group");
}

/* What comes to numbers that ours had just now. */
static void has_others(void)
{
	char bytes[8];
	int fd = open("/dev/zero", O_RDWR), other = open("/dev/null", O_RDWR);

	need(fd >= 0 && other >= 0, "open");
	need(read(fd, bytes, sizeof(bytes)) == sizeof(bytes), "read /dev/zero");
	need(read(other, bytes, sizeof(bytes)) == 0, "read /dev/null");
	need(dup2(fd, other) == other, "dup2");
	need(read(other, bytes, sizeof(bytes)) == sizeof(bytes), "read the duplicate");
	need(ioctl(fd, VFIO_GET_API_VERSION) < 0 && errno == ENOTTY, "ioctl of /dev/zero");
	need(close(fd) == 0 && close(other) == 0, "close");
}

static void streams(void)
{
	uint64_t entry = 0;
	FILE *file = fopen("/proc/self/pagemap", "r");

	need(file && fseeko(file, (off_t)((uintptr_t)self->page / PAGE * 8), SEEK_SET) == 0 &&
		     fread(&entry, sizeof(entry), 1, file) == 1 && entry & PRESENT && !fclose(file),
	     "a stream");
}

static void forks(void)
{
	int status;
	pid_t child = fork();

	need(child >= 0, "fork");
	if (child == 0) {
		/* The page is the child's own only when it has written to it. */
		*(volatile char *)self->page = 2;
		_exit(look_up(self->page, 1) ? 0 : 1);
	}
	while (waitpid(child, &status, 0) < 0)
		need(errno == EINTR, "waitpid");
	need(status == 0, "a lookup in a child");
}

static void signals(void)
{
	pthread_kill(workers[random_below(THREADS)].thread, SIGUSR1);
}

static void (*const acts[])(void) = {
	looks_up, maps, has_container, has_group, has_others, streams, signals,
};

static pthread_barrier_t together;

static void *work(void *worker)
{
	self = worker;
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	need(self->page != MAP_FAILED, "mmap");
	pthread_barrier_wait(&together);
	pthread_sigmask(SIG_UNBLOCK, &(sigset_t){{1UL << (SIGUSR1 - 1)}}, NULL);
	for (long i = 0; i < rounds; i++) {
		if (random_below(32) == 0)
			forks();
		else
			acts[random_below(sizeof(acts) / sizeof(*acts))]();
	}
	pthread_sigmask(SIG_BLOCK, &(sigset_t){{1UL << (SIGUSR1 - 1)}}, NULL);
	pthread_barrier_wait(&together);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigset_t ours;

	rounds = argc > 1 ? atol(argv[1]) : 1000;
	alarm(LIMIT);
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&ours);
	sigaddset(&ours, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &ours, NULL); /* until a thread has its page */
	pthread_barrier_init(&together, NULL, THREADS);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].seed = (argc > 2 ? (unsigned int)atol(argv[2]) : 1) * THREADS + i;
		need(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0,
		     "pthread_create");
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}
