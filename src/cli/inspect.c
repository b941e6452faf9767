/* SPDX-License-Identifier: MIT */
#include "cli/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/session.h"
#include "uapi/syscall.h"

/*
 * How long one process may take, in ns. Each process that takes longer halves this
 * for the following ones, so that many of them do not delay the command for long.
 */
#define PATIENCE       UINT64_C(4000000000)
#define LEAST_PATIENCE UINT64_C(20000000)

/* Precedes the result of each process in the pipe. */
struct answer {
	int ret;
};

/* ---- the child ---- */

/*
 * Closes all other descriptors. The child may outlive the command if it cannot be
 * killed at once, and a reader of the command's output must not wait for it.
 */
static void keep_only(int *fd)
{
	*fd = dup2(*fd, STDIN_FILENO);
	if (syscall(SYS_close_range, STDIN_FILENO + 1, ~0U, 0))
		for (int other = STDIN_FILENO + 1; other < 1024; other++)
			close(other);
}

static void put(int fd, const void *bytes, size_t size)
{
	ssize_t n;

	for (const char *at = bytes; size; at += n, size -= (size_t)n) {
		n = write(fd, at, size);
		if (n <= 0)
			_exit(1);
	}
}

__attribute__((noreturn)) static void look(const struct inspection *inspection, const pid_t *pids,
					   size_t count, int fd)
{
	void *result = malloc(inspection->size);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	keep_only(&fd);
	for (size_t i = 0; result && i < count; i++) {
		struct answer answer;

		memset(result, 0, inspection->size);
		answer.ret = inspection->look(pids[i], result, inspection->arg);
		put(fd, &answer, sizeof(answer));
		put(fd, result, inspection->size);
	}
	_exit(0);
}

/* ---- the command ---- */

struct child {
	pid_t pid;
	int fd;
};

static struct child start(const struct inspection *inspection, const pid_t *pids, size_t count)
{
	struct child child;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) || (child.pid = fork()) < 0)
		give_up("cannot look at processes: %s", strerror(errno));
	if (!child.pid)
		look(inspection, pids, count, fds[1]);
	close(fds[1]);
	child.fd = fds[0];
	return child;
}

/* Does not wait for a child that the kernel cannot end at once. */
static void stop(struct child child)
{
	close(child.fd);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, WNOHANG);
}

/* False if not all bytes arrive by end, which is CLOCK_MONOTONIC in ns. */
static bool get(int fd, void *bytes, size_t size, uint64_t end)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	for (char *at = bytes; size; at += n, size -= (size_t)n) {
		uint64_t now = session_now();
		int ms = now < end ? (int)((end - now) / 1000000) + 1 : 0;

		n = 0;
		if (poll(&poll_fd, 1, ms) < 0 && errno == EINTR)
			continue;
		if (!poll_fd.revents)
			return false;
		n = read(fd, at, size);
		if (n <= 0)
			return false;
	}
	return true;
}

void inspect(const struct inspection *inspection, const pid_t *pids, size_t count)
{
	void *result = malloc(inspection->size);
	uint64_t patience = PATIENCE;

	if (!result)
		give_up("out of memory");
	for (size_t i = 0; i < count;) {
		struct child child = start(inspection, pids + i, count - i);
		struct answer answer;
		uint64_t end;

		while (i < count) {
			end = session_now() + patience;
			if (!get(child.fd, &answer, sizeof(answer), end) ||
			    !get(child.fd, result, inspection->size, end))
				break;
			inspection->told(pids[i++], answer.ret, result, inspection->arg);
		}
		stop(child);
		if (i == count)
			break;
		memset(result, 0, inspection->size);
		inspection->told(pids[i++], -ETIMEDOUT, result, inspection->arg);
		patience = patience / 2 > LEAST_PATIENCE ? patience / 2 : LEAST_PATIENCE;
	}
	free(result);
}
