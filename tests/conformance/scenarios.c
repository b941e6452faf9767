/* SPDX-License-Identifier: MIT */
/* Threads, signals, limits, and numbers that were closed where nobody sees it. */
#include "conformance.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static int ends[2];

static void make_pipe(void)
{
	if (syscall(SYS_pipe2, ends, 0))
		abort();
}

static int own_pagemap(void)
{
	return the.open("/proc/self/pagemap", O_RDONLY);
}

/* ---- calls that wait ---- */

static void wait_in_read(void)
{
	char c;

	CALL(the.read(ends[0], &c, 1));
}

static void wait_in_readv(void)
{
	char c;
	struct iovec iov = {&c, 1};

	CALL(the.readv(ends[0], &iov, 1));
}

static void wait_in_open(void)
{
	CALL(the.open("fifo", O_RDONLY));
}

static void wait_in_fcntl(void)
{
	struct flock lock = {.l_type = F_WRLCK};

	CALL(the.fcntl(own_file(O_RDWR), F_OFD_SETLKW, &lock));
}

static void wait_in_write(void)
{
	static char much[1 << 20];

	CALL(the.write(ends[1], much, sizeof(much)) == sizeof(much));
}

static void wait_in_recvmsg(void)
{
	struct msghdr msg = {0};
	int sockets[2];

	if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, sockets))
		abort();
	CALL(the.recvmsg(sockets[0], &msg, 0));
}

static void wait_in_getc(void)
{
	FILE *stream = fdopen(ends[0], "r");

	CALL(the.getc(stream));
}

static void wait_in_syscall(void)
{
	char c;

	CALL(the.syscall(SYS_read, ends[0], &c, 1L));
}

static void (*const waits[])(void) = {
	wait_in_read,  wait_in_readv,	wait_in_open, wait_in_fcntl,
	wait_in_write, wait_in_recvmsg, wait_in_getc, wait_in_syscall,
};

/* Blocks the file for others. */
static void lock_file(void)
{
	struct flock lock = {.l_type = F_WRLCK};

	if (syscall(SYS_fcntl, own_file(O_RDWR), F_OFD_SETLK, &lock))
		abort();
}

static void *run(void *what)
{
	void (*wait_in)(void) = *(void (**)(void))what;

	wait_in();
	return NULL;
}

/* syscall() is no cancellation point. */
static void are_cancelled(void)
{
	lock_file();
	for (size_t i = 0; i + 1 < sizeof(waits) / sizeof(waits[0]); i++) {
		pthread_t thread;
		void *result;

		make_pipe();
		pthread_create(&thread, NULL, run, (void *)&waits[i]);
		if (i % 2)
			usleep(1000);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		tell("%zu cancelled %d", i, result == PTHREAD_CANCELED);
	}
}

static void nothing(int number)
{
	(void)number;
}

static void every_millisecond(void handler(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct itimerval timer = {{0, 1000}, {0, 1000}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void are_interrupted(void)
{
	lock_file();
	every_millisecond(nothing, 0);
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		make_pipe();
		waits[i]();
	}
}

static void send_a_byte(int number)
{
	(void)number;
	if (the.write(ends[1], "!", 1) != 1)
		abort();
}

static void are_restarted(void)
{
	make_pipe();
	every_millisecond(send_a_byte, SA_RESTART);
	wait_in_read();
	wait_in_readv();
	wait_in_syscall();
}

/* ---- signal handlers that call what they interrupt ---- */

static volatile int handled, wrong;

/* Keeps errno, as a handler has to. */
static void use_files(int number)
{
	int before = errno;
	int fd = the.open("file", O_RDONLY);
	int twin = the.fcntl(fd, F_DUPFD_CLOEXEC, 60);
	struct stat st;
	char c = 0;

	(void)number;
	wrong += the.read(fd, &c, 1) != 1 || c != 'T' || the.fstat(twin, &st) || the.close(fd) ||
		 the.close(twin) || the.open("dir/iommu/none", O_RDONLY) >= 0 || errno != ENOENT;
	errno = before;
	handled++;
}

/* Two pages, as a program has it that asks for SIGSTKSZ, with nothing below. */
static void in_handlers(void)
{
	static char stack[3 * 4096] __attribute__((aligned(4096)));
	stack_t alternate = {.ss_sp = stack + 4096, .ss_size = 2 * 4096};

	mprotect(stack, 4096, PROT_NONE);
	sigaltstack(&alternate, NULL);
	every_millisecond(use_files, SA_RESTART | SA_ONSTACK);
	while (handled < 100) {
		int maps = own_pagemap();
		int twin = the.dup(maps);
		struct stat st;

		wrong += the.dup2(twin, maps) != maps || the.close(maps) || the.close(twin) ||
			 the.stat("dir/iommu/none", &st) != -1 || errno != ENOENT;
	}
	signal(SIGALRM, SIG_IGN);
	tell("%d wrong", wrong);
}

static pthread_barrier_t barrier;

static void *use_all_the_time(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	for (;;) {
		int fd = own_pagemap();

		the.close(the.dup(fd));
		the.close(fd);
		pthread_testcancel();
	}
	return NULL;
}

static void forks_beside_threads(void)
{
	pthread_t threads[3];
	int bad = 0, status;

	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, use_all_the_time, NULL);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (!pid) {
			alarm(10);
			use_files(0);
			_exit(wrong + the.close(own_pagemap()));
		}
		waitpid(pid, &status, 0);
		bad += status != 0;
	}
	for (int i = 0; i < 3; i++) {
		pthread_cancel(threads[i]);
		pthread_join(threads[i], NULL);
	}
	tell("%d wrong", bad);
}

/* ---- numbers ---- */

static void high_numbers(void)
{
	static const int numbers[] = {1023, 1024, 65535, 65536, 100000, 524287};
	struct rlimit limit;
	char buf[4];

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int fd = numbers[i];

		CALL(the.dup2(own_file(O_RDWR), fd));
		CALL(the.read(fd, buf, 4));
		CALL(the.fcntl(fd, F_GETFL));
		CALL(the.write(fd, "!", 1));
		tell_and_close(CALL(the.fcntl(fd, F_DUPFD, fd)));
		CALL(the.dup2(own_pagemap(), fd));
		CALL(the.close(fd));
		CALL(the.close(fd));
	}
}

/* Whoever asks for every number finds what the program has open. */
static void open_numbers(void)
{
	struct stat st;

	for (int fd = 0; fd < 65536; fd++)
		if (the.fcntl(fd, F_GETFD) >= 0 || the.fstat(fd, &st) == 0)
			tell("%d is open", fd);
}

/* All numbers there are can be had. */
static void no_number_left(void)
{
	struct rlimit limit = {24, 24};
	int fd, last = 0;

	setrlimit(RLIMIT_NOFILE, &limit);
	while ((fd = the.open("file", O_RDONLY)) >= 0)
		last = fd;
	say("open", last, errno);
	CALL(the.dup(last));
	CALL(the.fcntl(last, F_DUPFD, 0));
	CALL_POINTER(the.fopen("file", "r"), NULL);
	CALL_POINTER(the.opendir("."), NULL);
	CALL(own_pagemap());
	CALL(the.dup2(last, last - 1));
	CALL(the.dup2(last, 24));
	CALL(the.close(last));
	CALL(the.open("file", O_RDONLY));
}

/* A page map's number, closed unseen; then a file or a pipe has it. */
static int closed_unseen(void)
{
	int fd = own_pagemap();

	syscall(SYS_close, fd);
	return fd;
}

static int now_a_file(void)
{
	int fd = closed_unseen();

	if (own_file(O_RDWR) != fd)
		abort();
	return fd;
}

static int now_a_pipe(void)
{
	int fd = closed_unseen();

	make_pipe();
	if (ends[0] != fd || syscall(SYS_write, ends[1], "in the pipe", 11) != 11)
		abort();
	return fd;
}

static void read_all_ways(int make(void))
{
	char buf[16] = "", half[8];
	struct iovec iov[] = {{buf, 3}, {half, 8}};
	FILE *stream;
	int fd, n = 0;

	tell_bytes(buf, CALL(the.read(make(), buf, 11)));
	tell_bytes(buf, CALL(the.readv(make(), iov, 2)) > 0 ? 3 : 0);
	tell_bytes(half, 8);
	stream = fdopen(make(), "r");
	tell_bytes(buf, (long)CALL(the.fread(buf, 1, 11, stream)));
	CALL(the.fclose(stream));
	stream = fdopen(make(), "r");
	CALL(the.getc(stream));
	if (the.__uflow)
		CALL(the.__uflow(stream) >= 0);
	CALL(the.pread(make(), buf, 8, 0));
	CALL(the.ioctl(make(), FIONREAD, &n));
	tell("%d to read", n);
	fd = make();
	CALL_POINTER(the.mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), MAP_FAILED);
	CALL(the.fcntl(fd, F_GETFL));
	tell_and_close(CALL(the.dup(fd)));
	CALL(the.dup2(1, fd));
	CALL(the.close(fd));
	CALL(the.close(closed_unseen()));
	CALL(the.dup(closed_unseen()));
	CALL(the.read(closed_unseen(), buf, 8));
}

static void reused_by_files(void)
{
	read_all_ways(now_a_file);
}

static void reused_by_pipes(void)
{
	read_all_ways(now_a_pipe);
}

/* What a vfork() child closes and replaces stays open in its parent. */
static void beside_a_vfork_child(void)
{
	int fd = own_file(O_RDONLY), map = own_pagemap();
	int status;
	pid_t pid;
	char buf[8];

	pid = vfork();
	if (!pid) {
		the.close(map);
		the.close(fd);
		the.dup2(own_file(O_RDONLY), map);
		the.close_range(3, ~0U, 0);
		_exit(7);
	}
	waitpid(pid, &status, 0);
	tell("status %d", WEXITSTATUS(status));
	CALL(the.read(fd, buf, 8));
	CALL(syscall(SYS_lseek, map, 0L, SEEK_CUR));
	CALL(the.fcntl(map, F_GETFD));
	CALL(the.close(map));
	CALL(the.close(map));
}

static void spawned(void)
{
	char *const argv[] = {(char *)"cat", NULL};
	posix_spawn_file_actions_t actions;
	extern char **environ;
	int ret, status, in = own_file(O_RDONLY);
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_addclose(&actions, in);
	posix_spawn_file_actions_addopen(&actions, 2, "vfio", O_RDONLY, 0);
	ret = posix_spawnp(&pid, "cat", &actions, NULL, argv, environ);
	waitpid(pid, &status, 0);
	tell("%d, status %d", ret, status);
	tell_and_close(in);
}

/* ---- before and after main() ---- */

static int early[4];

/* Before the constructor of any library. */
static void before_all(int argc, char **argv, char **envp)
{
	struct stat st;

	(void)argc;
	(void)argv;
	(void)envp;
	early[0] = open("/dev/null", O_RDONLY);
	early[1] = (int)read(early[0], early, 4);
	early[2] = stat("/dev/none/iommu", &st);
	early[3] = close(early[0]);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **,
									    char **) = before_all;

static void before_constructors(void)
{
	for (int i = 0; i < 4; i++)
		tell("%d", early[i]);
}

static void at_the_end(void)
{
	CALL(the.read(the.open("file", O_RDONLY), BAD, 4));
	CALL(the.close(own_pagemap()));
}

static void exit_handlers(void)
{
	atexit(at_the_end);
	exit(3);
}

/* A constructor and a destructor in there call, with the dynamic linker's lock held. */
static void inside_dlopen(void)
{
	void *module = CALL_POINTER(dlopen(getenv("CONFORMANCE_MODULE"), RTLD_NOW), NULL);

	if (!module) {
		tell("%s", dlerror());
		return;
	}
	tell("%d", *(int *)dlsym(module, "module_result"));
	CALL(dlclose(module));
}

const struct scenario scenarios[] = {
	{"waiting calls are cancelled", are_cancelled},
	{"waiting calls are interrupted", are_interrupted},
	{"waiting calls are restarted", are_restarted},
	{"signal handlers call too", in_handlers},
	{"fork beside threads that call", forks_beside_threads},
	{"high numbers", high_numbers},
	{"open numbers", open_numbers},
	{"no number left", no_number_left},
	{"numbers closed unseen, used again for files", reused_by_files},
	{"numbers closed unseen, used again for pipes", reused_by_pipes},
	{"a vfork() child", beside_a_vfork_child},
	{"posix_spawn()", spawned},
	{"before constructors", before_constructors},
	{"exit handlers", exit_handlers},
	{"inside dlopen()", inside_dlopen},
	{"on small stacks", small_stacks},
	{"filters of its own", filters},
	{"a SIGSYS of its own", own_sigsys},
	{"masks", masks},
	{"a SIGSYS that is blocked", blocked_sigsys},
	{"calls that a handler left", left_by_jumps},
	{"on an alternate stack", alternate_stack},
	{"on another stack", on_another_stack},
	{"programs executed", executed},
	{"clone3()", cloned},
	{"registers over a call", registers},
	{NULL, NULL},
};
