/* Descriptors: made, copied, passed, asked about and closed, in all ways. */
#define _GNU_SOURCE
#include "random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t owners[DESCRIPTORS];
int descriptors[DESCRIPTORS] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

/* Two threads that make descriptors get numbers in any order. */
bool numbers_unknown;

__thread bool memory_is_borrowed;

void made(const char *what, int d, int fd)
{
	int flags;

	if (fd < 0) {
		say("%s d%d: %s", what, d, answer(-1));
		return;
	}
	flags = fcntl(fd, F_GETFD);
	descriptors[d] = fd;
	say("%s d%d: %s%s", what, d, numbers_unknown ? "made" : answer(fd),
	    flags & FD_CLOEXEC ? " cloexec" : "");
}

/* ---- made ----------------------------------------------------------------------- */

static bool is_taken(const char *what, int d)
{
	if (descriptors[d] < 0)
		return false;
	say("%s d%d: taken", what, d);
	return true;
}

/* By the directory that it is in, and its name there. */
static int open_below(const char *path, int flags)
{
	char directory[128];
	const char *slash = strrchr(path, '/');
	int at, fd, error;

	snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	at = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -1;
	fd = openat(at, slash + 1, flags);
	error = errno;
	close(at);
	errno = error;
	return fd;
}

/* By its own descriptor, opened only as a name before. */
static int open_again(const char *path, int flags)
{
	int at = open(path, O_PATH | O_CLOEXEC), fd, error;
	char name[32];

	if (at < 0)
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", at);
	fd = open(name, flags);
	error = errno;
	close(at);
	errno = error;
	return fd;
}

static int open_path(const char *path, int flags, int how)
{
	switch (how) {
	case 1:
		return open64(path, flags);
	case 2:
		return openat(AT_FDCWD, path, flags);
	case 3:
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags);
	case 4:
		return open_below(path, flags);
	case 5:
		return open_again(path, flags);
	default:
		return open(path, flags);
	}
}

void open_name(int d, const char *name, int flags, int how)
{
	char path[128];

	if (!is_taken("open", d))
		made(name, d, open_path(expand(name, path, sizeof(path)), flags, how));
}

void open_pagemap(int d, int spelling, int flags, int how)
{
	char path[64];

	if (is_taken("pagemap", d))
		return;
	made("pagemap", d, open_path(spelling_of(spelling, path, sizeof(path)), flags, how));
	owners[d] = memory_owner;
}

void open_eventfd(int d)
{
	if (!is_taken("eventfd", d))
		made("eventfd", d, eventfd(0, EFD_NONBLOCK));
}

void close_it(int d, int how)
{
	int fd = descriptors[d];
	FILE *file;
	long result;

	if (fd < 0 && how) {
		say("close d%d: none", d);
		return;
	}
	switch (how) {
	case 1:
		result = close_range((unsigned int)fd, (unsigned int)fd, 0);
		break;
	case 2:
		result = syscall(SYS_close, fd);
		break;
	case 3:
		file = fdopen(fd, "r");
		result = file ? fclose(file) : close(fd);
		break;
	default:
		result = close(fd);
	}
	if (!memory_is_borrowed)
		descriptors[d] = -1;
	say("close d%d: %s", d, answer(result));
}

/* All but the standard ones, as a program does that goes into the background. */
void close_all(void)
{
	closefrom(3);
	for (int d = 0; d < DESCRIPTORS; d++)
		descriptors[d] = -1;
	for (struct memory *memory = memories; memory < memories + MEMORIES; memory++)
		memory->fd = -1;
	say("close all");
}

void duplicate(int to, int d, int how)
{
	int fd = descriptors[d], old = descriptors[to], new;

	if (how < 3 && is_taken("dup", to))
		return;
	switch (how) {
	case 0:
		new = dup(fd);
		break;
	case 1:
		new = fcntl(fd, F_DUPFD_CLOEXEC, 40 + to);
		break;
	case 2:
		new = dup2(fd, 60 + to);
		break;
	case 3:
		new = old < 0 ? fcntl(fd, F_DUPFD, 3) : dup2(fd, old);
		break;
	default:
		new = old < 0 ? dup(fd) : dup3(fd, old, O_CLOEXEC);
	}
	made("dup", to, new);
	owners[to] = owners[d];
}

/* ---- passed ----------------------------------------------------------------------- */

struct message {
	char byte;
	struct iovec part;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr header;
};

static void message_init(struct message *m)
{
	*m = (struct message){.part = {&m->byte, 1}};
	m->header = (struct msghdr){.msg_iov = &m->part,
				    .msg_iovlen = 1,
				    .msg_control = m->control,
				    .msg_controllen = sizeof(m->control)};
}

static int send_it(int socket, int fd)
{
	struct message m;
	struct cmsghdr *c;

	message_init(&m);
	c = CMSG_FIRSTHDR(&m.header);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return (int)sendmsg(socket, &m.header, 0);
}

static int receive_it(int socket)
{
	struct message m;
	struct cmsghdr *c;
	int fd;

	message_init(&m);
	if (recvmsg(socket, &m.header, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&m.header);
	if (!c)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* A child gets it and sends it back. */
static void send_back(int socket)
{
	int fd = receive_it(socket);

	_exit(fd < 0 || send_it(socket, fd) < 0);
}

static int pass_by_socket(int fd, bool by_child)
{
	int pair[2], new = -1, error;
	pid_t child = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	if (by_child) {
		child = fork();
		if (!child) {
			close(pair[0]); /* nothing comes if the parent has nothing to send */
			send_back(pair[1]);
		}
		memory_copied(false);
	}
	if (send_it(pair[0], fd) >= 0)
		new = receive_it(pair[by_child ? 0 : 1]);
	error = errno;
	close(pair[0]);
	close(pair[1]);
	if (child > 0)
		waitpid(child, NULL, 0);
	errno = error;
	return new;
}

static int pass_by_process(int fd)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int new = (int)syscall(SYS_pidfd_getfd, self, fd, 0), error = errno;

	close(self);
	errno = error;
	return new;
}

void pass(int to, int d, int how)
{
	if (is_taken("pass", to))
		return;
	if (how == 2)
		made("pass", to, pass_by_process(descriptors[d]));
	else
		made("pass", to, pass_by_socket(descriptors[d], how == 1));
	owners[to] = owners[d];
}

/* ---- asked about -------------------------------------------------------------------- */

void descriptor_flags(int d, int set)
{
	int fd = descriptors[d];

	switch (set) {
	case 0:
		say("flags d%d: %s", d, answer(fcntl(fd, F_GETFD)));
		break;
	case 1:
		say("keep d%d: %s", d, answer(fcntl(fd, F_SETFD, 0)));
		break;
	case 2:
		say("cloexec d%d: %s", d, answer(fcntl(fd, F_SETFD, FD_CLOEXEC)));
		break;
	default:
		say("mode d%d: %s", d, answer(fcntl(fd, F_GETFL)));
	}
}

static void say_stat(const char *what, long result, const struct stat *st)
{
	if (result)
		say("%s: %s", what, answer(-1));
	else
		say("%s: mode %o size %ld links %ld rdev %d:%d", what, st->st_mode,
		    S_ISDIR(st->st_mode) ? 0L : (long)st->st_size,
		    S_ISDIR(st->st_mode) ? 0L : (long)st->st_nlink, (int)(st->st_rdev != 0),
		    S_ISCHR(st->st_mode));
}

void stat_it(int d)
{
	struct stat st;

	say_stat("stat", fstat(descriptors[d], &st), &st);
}

void stat_name(const char *name, int how)
{
	struct stat st = {0};
	char path[128];
	int result;

	expand(name, path, sizeof(path));
	if (how == 0)
		result = stat(path, &st);
	else if (how == 1)
		result = lstat(path, &st);
	else
		result = access(path, how == 2 ? R_OK | W_OK : X_OK);
	say_stat(name, result, &st);
}

/* Numbers of processes, groups and devices differ. */
void link_of(int d)
{
	char path[32], target[256], *from, *to;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptors[d]);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	for (from = to = target; *from; from++)
		if (*from < '0' || *from > '9')
			*to++ = *from;
	*to = '\0';
	say("link d%d: %s", d, length < 0 ? answer(-1) : target);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* As the program finds them, but for the one that it reads the directory by. */
void list_descriptors(int how)
{
	static const char *const names[] = {"/proc/self/fd", "/dev/fd", "/proc/thread-self/fd"};
	DIR *directory = opendir(names[how]);
	int found[128], count = 0;
	char text[512];
	size_t used = 0;
	struct dirent *entry;

	if (!directory) {
		say("descriptors: %s", answer(-1));
		return;
	}
	while ((entry = readdir(directory)) && count < (int)ARRAY_SIZE(found))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(directory))
			found[count++] = atoi(entry->d_name);
	closedir(directory);
	qsort(found, (size_t)count, sizeof(found[0]), by_number);
	text[0] = '\0';
	for (int i = 0; i < count && !numbers_unknown; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %d", found[i]);
	say("descriptors:%s", text);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

void list_name(const char *name)
{
	struct dirent **entries;
	char path[128], text[512] = "";
	size_t used = 0;
	int count = scandir(expand(name, path, sizeof(path)), &entries, NULL, by_name);

	for (int i = 0; i < count; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s",
					 entries[i]->d_name);
		used = used < sizeof(text) ? used : sizeof(text) - 1;
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	say("list %s: %s%s", name, answer(count), text);
}

/* ---- waited for ------------------------------------------------------------------- */

static long by_epoll(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC), error;
	long result = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);

	if (!result)
		result = epoll_wait(epoll, &event, 1, 0);
	error = errno;
	close(epoll);
	errno = error;
	return result;
}

static long by_select(int fd)
{
	struct timeval now = {0};
	fd_set set;

	if (fd < 0)
		return 0;
	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &now);
}

void poll_it(int d, int how)
{
	struct pollfd one = {.fd = descriptors[d], .events = POLLIN | POLLOUT};
	long result;

	if (how == 0)
		result = poll(&one, 1, 0);
	else
		result = how == 1 ? by_epoll(descriptors[d]) : by_select(descriptors[d]);
	say("poll d%d: %s %x", d, answer(result), (unsigned int)one.revents);
}

void read_it(int d, int how)
{
	struct stat st;
	uint64_t value = 0;
	long result;

	/* A pagemap's first entry, or what a device has at its beginning: nobody asks for it. */
	if (fstat(descriptors[d], &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		result = 0;
	else if (how == 0)
		result = read(descriptors[d], &value, sizeof(value));
	else
		result = write(descriptors[d], &value, how == 1 ? 0 : 4);
	say("read d%d: %s %llx", d, answer(result), (unsigned long long)value);
}
