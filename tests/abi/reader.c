/* SPDX-License-Identifier: MIT */
/*
 * The tools of release 1.0, beside the library of today. The headers in 1.0/ are those
 * of that release and never change. This program is its reader: it makes a ring, runs
 * itself under the library, and reads the events and the state that the library writes.
 *
 * It fails if a member of a structure or the value of a constant has moved while the
 * version has stayed. A release with another version gets a directory of its own here.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "1.0/state.h"
#include "1.0/trace.h"

#define LIBRARY ".libs/libnoiommu-shim.so"
#define PAGE	4096
#define PAGES	4
#define LOOKUPS 3

static int failed;

static void is(const char *what, uint64_t got, uint64_t wanted)
{
	if (got == wanted) {
		printf("ok - %s\n", what);
		return;
	}
	printf("not ok - %s\n# got 0x%lx, wanted 0x%lx\n", what, got, wanted);
	failed = 1;
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

/* ---- the program under the library ---- */

/* The state that the note in this segment leads to, or NULL. */
static const struct shim_state *follow_note(const char *at, size_t size)
{
	const char *end = at + size;

	while (at + sizeof(ElfW(Nhdr)) < end) {
		const ElfW(Nhdr) *note = (const void *)at;
		const char *name = (const char *)(note + 1);
		const char *descriptor = name + ((note->n_namesz + 3U) & ~3U);
		int32_t distance;

		if (note->n_type == STATE_NOTE_TYPE && note->n_namesz == sizeof(STATE_NOTE_NAME) &&
		    !strcmp(name, STATE_NOTE_NAME)) {
			memcpy(&distance, descriptor, sizeof(distance));
			return (const void *)(descriptor + distance);
		}
		at = descriptor + ((note->n_descsz + 3U) & ~3U);
	}
	return NULL;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct shim_state **state = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum && !*state; i++)
		if (info->dlpi_phdr[i].p_type == PT_NOTE)
			*state = follow_note((const char *)info->dlpi_addr +
						     info->dlpi_phdr[i].p_vaddr,
					     info->dlpi_phdr[i].p_memsz);
	return *state != NULL;
}

/* Looks addresses up, and prints the address of its memory and what it was told. */
static int look_up(void)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	off_t at = (off_t)((uintptr_t)memory / PAGE * sizeof(uint64_t));
	int fd = open("/proc/self/pagemap", O_RDONLY);
	const struct shim_state *state = NULL;
	const struct shim_counts *counts;
	uint64_t entries[PAGES] = {0};

	for (int i = 0; i < LOOKUPS; i++)
		if (pread(fd, entries, sizeof(entries), at) != sizeof(entries))
			return 1;
	dl_iterate_phdr(look_at, &state);
	if (!state) {
		fputs("not ok - the library has a note\n", stderr);
		return 1;
	}
	counts = (const void *)state->counts;
	dprintf(STDERR_FILENO, "%lx %lx %d %u %u %u %u %u %u %lu %lu %lu %lu\n", (uintptr_t)memory,
		entries[0], fd, !memcmp(state->magic, STATE_MAGIC, 8), state->version,
		state->size >= sizeof(*state), state->mode, state->path, state->containers,
		counts->lookups, counts->failures, counts->pins, counts->pages[STATE_PAGE_4K]);
	return 0;
}

/* ---- the reader ---- */

static struct trace_ring *make_ring(int *fd)
{
	struct trace_ring *ring;

	*fd = memfd_create("ring", MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, sizeof(*ring)) ||
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return NULL;
	ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (ring == MAP_FAILED)
		return NULL;
	for (uint64_t i = 0; i < TRACE_SLOTS; i++)
		ring->events[i].sequence = i;
	ring->slots = TRACE_SLOTS;
	ring->version = TRACE_VERSION;
	ring->magic = TRACE_MAGIC;
	return ring;
}

static void set_variables(int ring)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getppid(), ring);
	setenv("NOIOMMU_SHIM_TRACE", path, 1);
	setenv("NOIOMMU_SHIM_MODE", "group", 1);
	if (realpath(LIBRARY, path))
		setenv("LD_PRELOAD", path, 1);
}

/* Runs this program under the library. Returns what it prints. */
static FILE *run(int ring, pid_t *pid)
{
	int ends[2];

	if (pipe(ends))
		return NULL;
	*pid = fork();
	if (!*pid) {
		dup2(ends[1], STDERR_FILENO);
		set_variables(ring);
		execl("/proc/self/exe", "reader", "look-up", NULL);
		_exit(127);
	}
	close(ends[1]);
	return fdopen(ends[0], "r");
}

struct told {
	uint64_t memory, entry;
	int fd;
	unsigned int magic, version, size, mode, path, containers;
	uint64_t lookups, failures, pins, pages;
};

static int read_told(FILE *from, struct told *told)
{
	return fscanf(from, "%lx %lx %d %u %u %u %u %u %u %lu %lu %lu %lu", &told->memory,
		      &told->entry, &told->fd, &told->magic, &told->version, &told->size,
		      &told->mode, &told->path, &told->containers, &told->lookups, &told->failures,
		      &told->pins, &told->pages) == 13;
}

static void check_state(const struct told *told)
{
	is("state: magic", told->magic, 1);
	is("state: version", told->version, STATE_VERSION);
	is("state: no smaller than it was", told->size, 1);
	is("state: mode", told->mode, STATE_MODE_GROUP);
	is("state: path", told->path, STATE_PATH_GROUP);
	is("state: containers", told->containers, 0);
	is("counts: lookups", told->lookups, LOOKUPS);
	is("counts: failures", told->failures, 0);
	is("counts: pins", told->pins, 0);
	is("counts: pages", told->pages, 0);
}

static void check_lookup(const struct trace_event *event, const struct told *told)
{
	struct trace_run run;

	memcpy(&run, event->data, sizeof(run));
	is("lookup: object", event->object, TRACE_PAGEMAP);
	is("lookup: descriptor", (uint64_t)event->fd, (uint64_t)told->fd);
	is("lookup: result", (uint64_t)event->result, 0);
	is("lookup: address", event->args[0], told->memory);
	is("lookup: pages", event->args[1], PAGES);
	is("lookup: changed entries", event->args[2], 0);
	is("lookup: first page", event->args[3], 0);
	is("lookup: it has runs", event->length / sizeof(run) > 0, 1);
	is("lookup: the first entry", run.entry, told->entry);
	is("lookup: the first run", run.pages >= 1 && run.pages <= PAGES, 1);
}

static void check_events(struct trace_ring *ring, pid_t pid, uint64_t begin,
			 const struct told *told)
{
	unsigned int starts = 0, lookups = 0, wrong = 0;

	is("ring: some events", ring->head > LOOKUPS && ring->head < TRACE_SLOTS, 1);
	is("ring: none is lost", ring->lost, 0);
	for (uint64_t i = 0; i < ring->head && i < TRACE_SLOTS; i++) {
		const struct trace_event *event = &ring->events[i];

		wrong += event->sequence != i + 1 || event->pid != pid || event->tid != pid ||
			 event->time < begin || event->time + event->took > now();
		starts += event->kind == TRACE_START && event->nested == 0 &&
			  strstr((const char *)event->data, "reader");
		if (event->kind == TRACE_LOOKUP && !lookups++)
			check_lookup(event, told);
	}
	is("events: whose they are, and when", wrong, 0);
	is("events: one start", starts, 1);
	is("events: every lookup", lookups, LOOKUPS);
}

int main(int argc, char **argv)
{
	uint64_t begin = now();
	struct trace_ring *ring;
	struct told told;
	int fd, status;
	FILE *from;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "look-up"))
		return look_up();
	ring = make_ring(&fd);
	from = ring ? run(fd, &pid) : NULL;
	if (!from || !read_told(from, &told)) {
		puts("not ok - a program runs under the library");
		return 1;
	}
	waitpid(pid, &status, 0);
	is("the program ends", (uint64_t)status, 0);
	check_state(&told);
	check_events(ring, pid, begin, &told);
	return failed;
}
