/*
 * The truth, as a process without the library sees it.
 *
 * The observer is this program, executed once more without LD_PRELOAD. It ends
 * when the other end of its socket does.
 */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct request {
	enum look how;
	pid_t pid;
	uint32_t count;
	struct range ranges[MAX_RANGES];
};

struct answer {
	struct account account;
	uint64_t entries[MAX_RANGES * MAX_PAGES];
};

/* ---- the side of the observed ------------------------------------------- */

static int to_observer;

void observer_start(void)
{
	char number[16];
	int ends[2];
	char *args[] = {"model", "--observe", number, NULL};
	char *no_environment[] = {NULL};
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		fail("socketpair: %s", strerror(errno));
	snprintf(number, sizeof(number), "%d", ends[1]);
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		close(ends[0]);
		execve("/proc/self/exe", args, no_environment);
		_exit(127);
	}
	close(ends[1]);
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	to_observer = ends[0];
}

struct account observer_look(enum look how, pid_t pid, const struct range *ranges, size_t count,
			     uint64_t *entries)
{
	struct request request = {.how = how, .pid = pid, .count = (uint32_t)count};
	size_t length = offsetof(struct request, ranges) + count * sizeof(*ranges);
	static struct answer answer;
	ssize_t size = 0;

	for (size_t i = 0; i < count; i++) {
		request.ranges[i] = ranges[i];
		size += (ssize_t)(ranges[i].pages * sizeof(*entries));
	}
	if (send(to_observer, &request, length, MSG_NOSIGNAL) != (ssize_t)length ||
	    recv(to_observer, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer.account) + size)
		fail("the observer does not answer");
	if (size)
		memcpy(entries, answer.entries, (size_t)size);
	return answer.account;
}

/* ---- the observer ------------------------------------------------------- */

static int open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Of the process that is asked about all the time the file stays open. */
static int pagemap_of(pid_t pid)
{
	static pid_t last;
	static int fd = -1;

	if (pid != last) {
		close(fd);
		fd = open_of(pid, "pagemap");
		last = pid;
	}
	return fd;
}

/* A page that is being moved, or was meant to be, is back in a moment. */
static void read_entries(int fd, uint64_t va, size_t count, uint64_t *entries)
{
	size_t size = count * sizeof(*entries);
	off_t offset = (off_t)(va / PAGE_SIZE * sizeof(*entries));

	if (pread(fd, entries, size, offset) != (ssize_t)size)
		memset(entries, 0, size);
	for (size_t i = 0; i < count; i++)
		for (int tries = 0; entries[i] & SWAPPED && tries < 1000; tries++)
			if (pread(fd, &entries[i], sizeof(*entries),
				  offset + (off_t)(i * sizeof(*entries))) < 0)
				break;
}

static uint64_t *look_at(int fd, const struct range *range, uint64_t *entries)
{
	uint64_t va = range->va;

	if (range->shift == PAGE_SHIFT) {
		read_entries(fd, va, range->pages, entries);
		return entries + range->pages;
	}
	for (size_t i = 0; i < range->pages; i++, va += 1UL << range->shift)
		read_entries(fd, va, 1, entries++);
	return entries;
}

static size_t look(const struct request *request, uint64_t *entries)
{
	uint64_t *end = entries;

	for (size_t i = 0; i < request->count; i++)
		end = look_at(pagemap_of(request->pid), &request->ranges[i], end);
	return (size_t)(end - entries) * sizeof(*entries);
}

/* Each to the other node. */
static void move(const struct request *request, const uint64_t *entries)
{
	static void *pages[MAX_RANGES * MAX_PAGES];
	static int nodes[ARRAY_SIZE(pages)], status[ARRAY_SIZE(pages)];
	size_t count = 0;

	for (size_t i = 0; i < request->count; i++) {
		const struct range *range = &request->ranges[i];

		for (size_t page = 0; page < range->pages; page++)
			if (*entries++ & PRESENT)
				pages[count++] = (void *)(range->va + (page << range->shift));
	}
	if (!count)
		return;
	syscall(SYS_move_pages, (long)request->pid, count, pages, NULL, nodes, 0);
	for (size_t i = 0; i < count; i++)
		nodes[i] = nodes[i] == 0;
	syscall(SYS_move_pages, (long)request->pid, count, pages, nodes, status, MPOL_MF_MOVE_ALL);
}

/* The number behind a word in a file of /proc. */
static uint64_t number_in(int fd, const char *word)
{
	static char text[16384];
	ssize_t length = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	char *at;

	text[length > 0 ? length : 0] = '\0';
	at = strstr(text, word);
	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

static struct account account(pid_t pid)
{
	static int status = -1, huge = -1;
	static pid_t last;
	struct account account = {0};

	if (huge < 0)
		huge = open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
			    O_RDONLY | O_CLOEXEC);
	if (pid != last) {
		close(status);
		status = open_of(pid, "status");
		last = pid;
	}
	account.pinned = number_in(status, "VmPin:") * 1024 / PAGE_SIZE;
	account.huge_free = number_in(huge, "");
	return account;
}

int observer_main(int fd)
{
	static struct answer answer;
	struct request request;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (recv(fd, &request, sizeof(request), 0) > 0) {
		size_t size = look(&request, answer.entries);

		if (request.how == LOOK_AFTER_MOVING) {
			move(&request, answer.entries);
			look(&request, answer.entries);
		}
		answer.account = account(request.pid);
		size += sizeof(answer.account);
		if (send(fd, &answer, size, MSG_NOSIGNAL) != (ssize_t)size)
			return 1;
	}
	return 0;
}
