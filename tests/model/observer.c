/*
 * The truth, as a process without the library sees it.
 *
 * The observer is this program, executed again without LD_PRELOAD. It ends when
 * the other end of its socket is closed.
 */
#define _GNU_SOURCE
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum wish { WISH_LOOK, WISH_FILE, WISH_ACT };

struct request {
	enum wish wish;
	enum look how;
	enum act act;
	int advice;
	bool count_all;
	pid_t pid;
	int fd;
	unsigned int shift;
	uint64_t mask;
	uint64_t from, len;
	uint32_t count;
	struct range ranges[MAX_RANGES];
};

struct answer {
	struct account account;
	uint64_t entries[MAX_RANGES * MAX_PAGES];
};

/* ---- in the observed process -------------------------------------------- */

static int to_observer;
static bool count_all;

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

static struct answer answered;

/* size is the number of bytes that follow the account in the answer. */
static void ask(const struct request *request, size_t size)
{
	size_t length =
		offsetof(struct request, ranges) + request->count * sizeof(*request->ranges);

	if (send(to_observer, request, length, MSG_NOSIGNAL) != (ssize_t)length ||
	    recv(to_observer, &answered, sizeof(answered), 0) !=
		    (ssize_t)(sizeof(answered.account) + size))
		fail("the observer does not answer");
}

struct account observer_look(enum look how, pid_t pid, const struct range *ranges, size_t count,
			     uint64_t *entries)
{
	static struct request request;
	size_t size = 0;

	request.wish = WISH_LOOK;
	request.how = how;
	request.pid = pid;
	request.count = (uint32_t)count;
	request.count_all = count_all;
	for (size_t i = 0; i < count; i++) {
		request.ranges[i] = ranges[i];
		size += ranges[i].pages * sizeof(*entries);
	}
	ask(&request, size);
	if (size)
		memcpy(entries, answered.entries, size);
	return answered.account;
}

void observer_count_all(void)
{
	count_all = true;
}

void observer_look_at_file(int fd, unsigned int shift, uint64_t mask, uint64_t *before,
			   uint64_t *after)
{
	static struct request request;
	size_t size = MAX_OBJECT_PAGES * sizeof(*before);

	request.wish = WISH_FILE;
	request.pid = getpid();
	request.fd = fd;
	request.shift = shift;
	request.mask = mask;
	ask(&request, 2 * size);
	memcpy(before, answered.entries, size);
	memcpy(after, answered.entries + MAX_OBJECT_PAGES, size);
}

int observer_act(enum act what, int fd, uint64_t from, uint64_t len, int advice)
{
	static struct request request;

	request.wish = WISH_ACT;
	request.act = what;
	request.pid = getpid();
	request.fd = fd;
	request.from = from;
	request.len = len;
	request.advice = advice;
	ask(&request, sizeof(*answered.entries));
	return (int)answered.entries[0];
}

/* ---- the observer ------------------------------------------------------- */

static int open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The file of the last process stays open, as most questions are about one process. */
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

/* An entry has SWAPPED set for a moment while the kernel tries to move its page. */
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

/*
 * Moves those of the pages to the node that are on another. At a page that stays, the
 * kernel gives up all pages behind the next one that is on the node already or goes to
 * another: do_pages_move() in mm/migrate.c. So these are left out.
 */
static void move_to(pid_t pid, int node, void *const *pages, const int *nodes, size_t count)
{
	static void *moved[MAX_RANGES * MAX_PAGES];
	static int targets[ARRAY_SIZE(moved)], status[ARRAY_SIZE(moved)];
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (nodes[i] >= 0 && nodes[i] != node) {
			targets[n] = node;
			moved[n++] = pages[i];
		}
	if (n)
		syscall(SYS_move_pages, (long)pid, n, moved, targets, status, MPOL_MF_MOVE_ALL);
}

/* Moves each page to the other node. */
static void move(const struct request *request, const uint64_t *entries)
{
	static void *pages[MAX_RANGES * MAX_PAGES];
	static int nodes[ARRAY_SIZE(pages)];
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
	move_to(request->pid, 0, pages, nodes, count);
	move_to(request->pid, 1, pages, nodes, count);
}

/* The number after a word in a file of /proc. */
static uint64_t number_in(int fd, const char *word)
{
	static char text[16384];
	ssize_t length = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	char *at;

	text[length > 0 ? length : 0] = '\0';
	at = strstr(text, word);
	return at ? strtoull(at + strlen(word), NULL, 10) : 0;
}

/* A read of stat_refresh adds up the counters of all processors first. */
static uint64_t all_pinned(void)
{
	static int vmstat = -1, refresh = -1;
	char none;

	if (vmstat < 0) {
		vmstat = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
		refresh = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	}
	if (pread(refresh, &none, 1, 0) < 0)
		return 0;
	return number_in(vmstat, "nr_foll_pin_acquired") -
	       number_in(vmstat, "nr_foll_pin_released");
}

static struct account account(pid_t pid, bool all)
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
	account.pinned = all ? all_pinned() : number_in(status, "VmPin:") * 1024 / PAGE_SIZE;
	account.huge_free = number_in(huge, "");
	return account;
}

/* ---- files -------------------------------------------------------------- */

static int open_file_of(pid_t pid, int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	return open(path, flags | O_CLOEXEC);
}

static void read_masked(const struct request *request, const char *va, uint64_t *entries)
{
	memset(entries, 0, MAX_OBJECT_PAGES * sizeof(*entries));
	for (size_t i = 0; i < MAX_OBJECT_PAGES; i++)
		if (request->mask >> i & 1)
			read_entries(pagemap_of(getpid()), (uintptr_t)va + (i << request->shift), 1,
				     &entries[i]);
}

static bool stayed(uint64_t before, uint64_t after)
{
	return before & PRESENT && (before & PFN) == (after & PFN);
}

/* A page that another processor uses just now cannot be moved for a moment. */
#define MOVE_TRIES 5

static void move_masked(const struct request *request, const uint64_t *before, const char *va,
			uint64_t *after)
{
	struct request pages = {.pid = getpid()};

	memcpy(after, before, MAX_OBJECT_PAGES * sizeof(*after));
	for (int i = 0; i < MOVE_TRIES; i++) {
		uint64_t entries[MAX_RANGES];
		bool all = true;

		for (size_t at = 0; at < MAX_OBJECT_PAGES;) {
			for (pages.count = 0; at < MAX_OBJECT_PAGES && pages.count < MAX_RANGES;
			     at++) {
				/* A page that has moved would come back, maybe to its frame. */
				if (!stayed(before[at], after[at]))
					continue;
				entries[pages.count] = before[at];
				pages.ranges[pages.count++] = (struct range){
					(uintptr_t)va + (at << request->shift), 1, request->shift};
			}
			move(&pages, entries);
		}
		read_masked(request, va, after);
		for (size_t at = 0; at < MAX_OBJECT_PAGES; at++)
			all &= !stayed(before[at], after[at]);
		if (all)
			break;
	}
}

/* The requested pages exist, so touching them allocates none. */
static size_t look_at_file(const struct request *request, uint64_t *entries)
{
	int fd = open_file_of(request->pid, request->fd, O_RDONLY);
	size_t size = (size_t)MAX_OBJECT_PAGES << request->shift;
	char *va = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);

	memset(entries, 0, 2 * MAX_OBJECT_PAGES * sizeof(*entries));
	if (va != MAP_FAILED) {
		for (size_t i = 0; i < MAX_OBJECT_PAGES; i++)
			if (request->mask >> i & 1)
				(void)*(volatile char *)(va + (i << request->shift));
		read_masked(request, va, entries);
		move_masked(request, entries, va, entries + MAX_OBJECT_PAGES);
		munmap(va, size);
	}
	close(fd);
	return 2 * MAX_OBJECT_PAGES * sizeof(*entries);
}

static long advise(const struct request *request)
{
	struct iovec range = {(void *)request->from, request->len};
	long pidfd = syscall(SYS_pidfd_open, (long)request->pid, 0);
	long ret = syscall(SYS_process_madvise, pidfd, &range, 1, request->advice, 0);

	close((int)pidfd);
	return ret;
}

static size_t act(const struct request *request, uint64_t *error)
{
	int fd = request->act == ADVISE ? -1 : open_file_of(request->pid, request->fd, O_RDWR);
	long ret = -1;

	switch (request->act) {
	case PUNCH:
		ret = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)request->from, (off_t)request->len);
		break;
	case TRUNCATE:
		ret = ftruncate(fd, (off_t)request->from);
		break;
	case ADVISE:
		ret = advise(request);
	}
	*error = ret < 0 ? (uint64_t)errno : 0;
	close(fd);
	return sizeof(*error);
}

static size_t look_at_ranges(const struct request *request, struct answer *answer)
{
	size_t size = look(request, answer->entries);

	if (request->how == LOOK_AFTER_MOVING) {
		move(request, answer->entries);
		look(request, answer->entries);
	}
	answer->account = account(request->pid, request->count_all);
	return size;
}

/* Ends with the last process that has the socket, as the worker may become a daemon. */
int observer_main(int fd)
{
	static struct answer answer;
	struct request request;

	while (recv(fd, &request, sizeof(request), 0) > 0) {
		size_t size;

		if (request.wish == WISH_FILE)
			size = look_at_file(&request, answer.entries);
		else if (request.wish == WISH_ACT)
			size = act(&request, answer.entries);
		else
			size = look_at_ranges(&request, &answer);
		size += sizeof(answer.account);
		if (send(fd, &answer, size, MSG_NOSIGNAL) != (ssize_t)size)
			return 1;
	}
	return 0;
}
