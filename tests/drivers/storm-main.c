/*
 * storm PID [--rounds N | --until-exit] [--report FILE]
 *
 * Moves all memory of a process back and forth between NUMA nodes, from outside and as
 * root: N times (default 2: there and back) or until the process exits. SIGTERM and
 * SIGINT end it earlier, but not before it has moved the memory there and back.
 *
 * FILE has the physical addresses that the process looked up, in lines "va pa", both
 * hexadecimal. Of several lines for one va the last one counts. Lines may be added while
 * this runs. After every round the addresses are compared with the real ones. At the end
 * a line says
 *
 *	given N moved M gone K
 *
 * N is the number of addresses. M of them belonged to another page when last seen. K were
 * right when last seen, but at the end there was no memory at that va. Memory that a
 * process releases and gets again, without another lookup, counts as moved.
 *
 * Exit status: 0, or 2 if it could not run, or could not move there and back.
 */
#define _GNU_SOURCE
#include "legacy.h"
#include "storm.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRESENT (1ULL << 63)
#define SWAPPED (1ULL << 62) /* also set while a page is being moved */
#define PFN	((1ULL << 55) - 1)

enum state { UNSEEN, RIGHT, MOVED };

struct address {
	uint64_t va;
	uint64_t pa;
	enum state state; /* when last seen */
	bool gone;
};

struct report {
	FILE *file;
	struct address *list;
	size_t count;
};

static volatile sig_atomic_t finish;

static void on_signal(int number)
{
	(void)number;
	finish = 1;
}

static struct address *find(struct report *report, uint64_t va)
{
	for (size_t i = 0; i < report->count; i++)
		if (report->list[i].va == va)
			return &report->list[i];
	return NULL;
}

static int add(struct report *report, uint64_t va, uint64_t pa)
{
	struct address *address = find(report, va);

	if (!address) {
		struct address *list = reallocarray(report->list, report->count + 1, sizeof(*list));

		if (!list)
			return legacy_error("the list of addresses");
		report->list = list;
		address = &list[report->count++];
	}
	*address = (struct address){.va = va, .pa = pa};
	return 0;
}

/* Continues where the last call stopped. Leaves an incomplete line for later. */
static int read_more(struct report *report)
{
	char line[256];
	uint64_t va, pa;
	long start;

	for (;;) {
		start = ftell(report->file);
		if (!fgets(line, sizeof(line), report->file) || !strchr(line, '\n'))
			break;
		if (sscanf(line, "%" SCNx64 " %" SCNx64, &va, &pa) == 2 && add(report, va, pa) < 0)
			return -1;
	}
	fseek(report->file, start, SEEK_SET); /* also clears the end of file */
	return 0;
}

static void look_at(struct address *address, uint64_t entry)
{
	address->gone = !(entry & (PRESENT | SWAPPED));
	if (entry & PRESENT)
		address->state = (entry & PFN) == address->pa / PAGE_SIZE ? RIGHT : MOVED;
}

/* A process that exits has no memory to read. Its last states stay. */
static void look_at_all(struct report *report, pid_t pid)
{
	char path[64];
	uint64_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (size_t i = 0; i < report->count; i++) {
		off_t offset = report->list[i].va / PAGE_SIZE * sizeof(entry);

		if (pread(fd, &entry, sizeof(entry), offset) == sizeof(entry))
			look_at(&report->list[i], entry);
	}
	close(fd);
}

static void print(const struct report *report)
{
	size_t moved = 0, gone = 0;

	for (size_t i = 0; i < report->count; i++) {
		if (report->list[i].state == MOVED)
			moved++;
		else if (report->list[i].gone)
			gone++;
	}
	printf("given %zu moved %zu gone %zu\n", report->count, moved, gone);
}

static int run(pid_t pid, unsigned long rounds, struct report *report)
{
	unsigned long round = 0;

	while ((!finish || round < 2) && round < rounds && storm_round(pid) >= 0) {
		round++;
		if (!report->file)
			continue;
		if (read_more(report) < 0)
			return 2;
		look_at_all(report, pid);
	}
	fprintf(stderr, "storm: %lu rounds\n", round);
	if (report->file)
		print(report);
	return round < 2 && round < rounds ? 2 : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: storm PID [--rounds N | --until-exit] [--report FILE]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'n'},
		{"until-exit", no_argument, NULL, 'e'},
		{"report", required_argument, NULL, 'r'},
		{NULL, 0, NULL, 0},
	};
	struct sigaction action = {.sa_handler = on_signal};
	struct report report = {NULL, NULL, 0};
	unsigned long rounds = 2;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			rounds = strtoul(optarg, NULL, 0);
			break;
		case 'e':
			rounds = -1UL;
			break;
		case 'r':
			/* The process may not have written anything yet. */
			report.file = fopen(optarg, "a+e");
			if (!report.file)
				return legacy_error("%s", optarg), 2;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc - 1 || atoi(argv[optind]) <= 0)
		return usage();
	if (storm_prepare() < 0)
		return 2;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	return run(atoi(argv[optind]), rounds, &report);
}
