/*
 * storm.c - moves all memory of a process back and forth (see storm.h)
 */
#define _GNU_SOURCE
#include "storm.h"
#include "legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_NODES	      64
#define BATCH		      512
#define PRESENT		      (1ULL << 63)
#define ROUNDS_PER_COMPACTION 8

/* The pause leaves time for other work on a machine with few processors. */
#define PAUSE_US 2000

static int nodes[MAX_NODES];
static int node_count;

/* Reads the kernel's list of nodes that have memory, such as "0-1,3". */
static void find_nodes(void)
{
	FILE *file = fopen("/sys/devices/system/node/has_memory", "re");
	int first, last;

	while (file && fscanf(file, "%d", &first) == 1) {
		if (fscanf(file, "-%d", &last) != 1)
			last = first;
		while (first <= last && node_count < MAX_NODES)
			nodes[node_count++] = first++;
		if (fgetc(file) != ',')
			break;
	}
	if (file)
		fclose(file);
}

static void write_to(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		legacy_error("%s", path);
	close(fd);
}

int storm_prepare(void)
{
	/* Equal pages that are MADV_MERGEABLE are merged. */
	write_to("/sys/kernel/mm/ksm/run", "1");
	find_nodes();
	if (node_count < 2) {
		errno = ENODEV;
		return legacy_error("a storm needs two NUMA nodes");
	}
	if (syscall(SYS_move_pages, 0L, 0L, NULL, NULL, NULL, MPOL_MF_MOVE_ALL) < 0)
		return legacy_error("move_pages");
	return 0;
}

/*
 * Moves those of `count` pages from `va` on that are present to the node. At a page that
 * stays, the kernel gives up all pages behind the next one that is on the node already:
 * do_pages_move() in mm/migrate.c. So these are left out. Returns how many are present.
 */
static long move_batch(pid_t pid, int pagemap, uintptr_t va, size_t count, int node)
{
	uint64_t entries[BATCH];
	void *pages[BATCH];
	int targets[BATCH], status[BATCH];
	ssize_t got;
	long present = 0, n = 0;

	got = pread(pagemap, entries, count * sizeof(*entries), va / PAGE_SIZE * sizeof(*entries));
	for (size_t i = 0; got > 0 && i < got / sizeof(*entries); i++)
		if (entries[i] & PRESENT)
			pages[present++] = (void *)(va + i * PAGE_SIZE);
	if (!present || syscall(SYS_move_pages, (long)pid, present, pages, NULL, status, 0) < 0)
		return present;
	for (long i = 0; i < present; i++)
		if (status[i] >= 0 && status[i] != node) {
			targets[n] = node;
			pages[n++] = pages[i];
		}
	if (n)
		syscall(SYS_move_pages, (long)pid, n, pages, targets, status, MPOL_MF_MOVE_ALL);
	return present;
}

static long move_range(pid_t pid, int pagemap, uintptr_t start, uintptr_t end, int node)
{
	long moved = 0;

	while (start < end) {
		size_t pages = (end - start) / PAGE_SIZE;

		if (pages > BATCH)
			pages = BATCH;
		moved += move_batch(pid, pagemap, start, pages, node);
		start += pages * PAGE_SIZE;
	}
	return moved;
}

static long move_all(pid_t pid, int node)
{
	char path[64], line[512], readable;
	uintptr_t start, end;
	long moved = 0;
	FILE *maps;
	int pagemap;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (pagemap >= 0 && maps && fgets(line, sizeof(line), maps)) {
		/* A mapping that cannot be read is reserved address space, often terabytes. */
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %c", &start, &end, &readable) == 3 &&
		    readable == 'r' && !strstr(line, "[v"))
			moved += move_range(pid, pagemap, start, end, node);
	}
	if (maps)
		fclose(maps);
	if (pagemap >= 0)
		close(pagemap);
	return moved ? moved : -1; /* a process that has not ended has memory */
}

long storm_round(pid_t pid)
{
	static unsigned long round;
	long moved;

	moved = move_all(pid, nodes[round % node_count]);
	if (++round % ROUNDS_PER_COMPACTION == 0)
		write_to("/proc/sys/vm/compact_memory", "1");
	usleep(PAUSE_US);
	return moved;
}

/* ---- the second process ------------------------------------------------ */

static void child(pid_t victim, int from_parent, int to_parent)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(from_parent, &byte, 1) != 1)
		_exit(0);
	/* Twice, so that all memory moves, on whichever node it is at first. */
	storm_round(victim);
	storm_round(victim);
	if (write(to_parent, "", 1) != 1)
		_exit(1);
	while (storm_round(victim) >= 0)
		;
	_exit(0);
}

int storm_fork(struct storm *storm)
{
	pid_t self = getpid();
	int down[2], up[2];

	if (storm_prepare() < 0)
		return -1;
	if (pipe2(down, O_CLOEXEC) < 0 || pipe2(up, O_CLOEXEC) < 0)
		return legacy_error("pipe2");
	storm->pid = fork();
	if (storm->pid < 0)
		return legacy_error("fork");
	if (storm->pid == 0) {
		close(down[1]);
		close(up[0]);
		child(self, down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	storm->to_child = down[1];
	storm->from_child = up[0];
	return 0;
}

int storm_begin(struct storm *storm)
{
	char byte;

	if (write(storm->to_child, "", 1) != 1 || read(storm->from_child, &byte, 1) != 1)
		return legacy_error("starting the storm");
	return 0;
}

void storm_end(struct storm *storm)
{
	kill(storm->pid, SIGKILL);
	waitpid(storm->pid, NULL, 0);
	close(storm->to_child);
	close(storm->from_child);
}
