/* Memory: what maps it and uses it, and what was told of it. */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif

/* Where the kernel lets only root map anything, if at all. */
#define LOWEST ((void *)0x1000)

struct memory memories[MEMORIES];
pid_t memory_owner;
static bool copied_anytime;

static const char *const kinds[] = {
	[ANON] = "anonymous", [SHARED] = "shared",
	[MEMFD] = "memfd",    [PRIVATE_MEMFD] = "private memfd",
	[TMPFS] = "tmpfs",    [SYSV] = "System V",
	[HEAP] = "heap",      [LOW] = "low",
	[HUGE] = "huge",      [HUGE_MEMFD] = "huge memfd",
	[BAR] = "registers",
};

struct memory *memory_get(const char *what, int m)
{
	if (memories[m].va)
		return &memories[m];
	say("%s m%d: none", what, m);
	return NULL;
}

/* ---- what was told --------------------------------------------------------- */

void memory_forget(struct memory *memory, size_t from, size_t pages)
{
	for (size_t i = from; i < from + pages && i < MAX_PAGES; i++)
		memory->told[i] = memory->written[i] = 0;
}

/* What it grows by later is not. */
static void set_written(struct memory *memory)
{
	for (size_t i = 0; i < memory->pages && i < MAX_PAGES; i++)
		memory->written[i] = true;
}

bool memory_is_private(const struct memory *memory)
{
	return memory->object < 0 || memory->kind == PRIVATE_MEMFD;
}

/* What a child does not have, anything else may be in the place of. */
void memory_copied(bool is_child)
{
	for (struct memory *memory = memories; memory < memories + MEMORIES; memory++) {
		if (is_child && memory->stays)
			*memory = (struct memory){.fd = -1};
		if (!memory->va || !memory_is_private(memory) || memory->kind == BAR)
			continue;
		memory->copied = true;
		if (is_child)
			memory_forget(memory, 0, MAX_PAGES);
	}
}

void memory_is_copied_anytime(void)
{
	copied_anytime = true;
	for (struct memory *memory = memories; memory < memories + MEMORIES; memory++)
		memory->copied = true;
}

/* ---- mapping ---------------------------------------------------------------- */

size_t memory_size(const struct memory *memory)
{
	return memory->pages << memory->shift;
}

static int make_file(const struct memory *memory)
{
	char name[] = "/tmp/random-XXXXXX";
	int fd;

	if (memory->kind == TMPFS) {
		fd = mkostemp(name, O_CLOEXEC);
		unlink(name);
	} else if (memory->kind == HUGE_MEMFD) {
		fd = memfd_create("random", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
	} else {
		fd = memfd_create("random", MFD_CLOEXEC);
	}
	if (fd >= 0 && ftruncate(fd, (off_t)memory_size(memory))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The file's descriptor is out of the way of those that the program counts. */
static int out_of_the_way(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 300);

	if (fd >= 0)
		close(fd);
	return high;
}

static void *map_sysv(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, 0600);
	void *va = shmat(id, NULL, 0);

	shmctl(id, IPC_RMID, NULL);
	return va;
}

static void *map_it(struct memory *memory, bool populate)
{
	int flags = populate ? MAP_POPULATE : 0, prot = PROT_READ | PROT_WRITE;
	void *va;

	switch (memory->kind) {
	case ANON:
		return mmap(NULL, memory_size(memory), prot, MAP_PRIVATE | MAP_ANONYMOUS | flags,
			    -1, 0);
	case LOW:
		return mmap(LOWEST, memory_size(memory), prot,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags, -1, 0);
	case SHARED:
		return mmap(NULL, memory_size(memory), prot, MAP_SHARED | MAP_ANONYMOUS | flags, -1,
			    0);
	case HUGE:
		return mmap(NULL, memory_size(memory), prot,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);
	case SYSV:
		return map_sysv(memory_size(memory));
	case HEAP:
		return posix_memalign(&va, PAGE_SIZE, memory_size(memory)) ? MAP_FAILED : va;
	default:
		memory->fd = out_of_the_way(make_file(memory));
		if (memory->fd < 0)
			return MAP_FAILED;
		flags |= memory->kind == PRIVATE_MEMFD ? MAP_PRIVATE : MAP_SHARED;
		return mmap(NULL, memory_size(memory), prot, flags, memory->fd, 0);
	}
}

void map(int m, enum kind kind, int pages, bool populate)
{
	struct memory *memory = &memories[m];
	struct memory new = {.pages = (size_t)pages,
			     .kind = kind,
			     .fd = -1,
			     .object = -1,
			     .copied = copied_anytime};
	void *va;

	if (memory->va) {
		say("map m%d: taken", m);
		return;
	}
	new.shift = kind == HUGE || kind == HUGE_MEMFD ? HUGE_SHIFT : PAGE_SHIFT;
	va = map_it(&new, populate);
	say("map m%d %s+%d: %s", m, kinds[kind], pages, answer(va == MAP_FAILED ? -1 : 0));
	if (va == MAP_FAILED)
		return;
	new.va = va;
	new.owner = memory_owner;
	if (populate && kind != HEAP)
		set_written(&new);
	if (kind != ANON && kind != LOW && kind != HUGE && kind != HEAP)
		new.object = (int)__atomic_fetch_add(&report->objects, 1, __ATOMIC_SEQ_CST);
	*memory = new;
}

/* The same pages at another address. */
void alias(int to, int m)
{
	struct memory *memory = memory_get("alias", m);
	void *va;

	if (!memory)
		return;
	if (memories[to].va) {
		say("alias m%d: taken", to);
		return;
	}
	if (memory_is_private(memory)) {
		say("alias m%d: private", m);
		return;
	}
	if (memory->fd >= 0)
		va = mmap(NULL, memory_size(memory), PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd,
			  (off_t)(memory->offset << memory->shift));
	else
		va = mremap(memory->va, 0, memory_size(memory), MREMAP_MAYMOVE);
	say("alias m%d of m%d: %s", to, m, answer(va == MAP_FAILED ? -1 : 0));
	if (va == MAP_FAILED)
		return;
	memories[to] = *memory;
	memories[to].va = va;
	memories[to].owner = memory_owner;
	memories[to].barred = memories[to].read_only = false;
	if (memory->fd >= 0)
		memories[to].fd = fcntl(memory->fd, F_DUPFD_CLOEXEC, 300);
}

/*
 * When the library pins memory anew, for a device that is opened, shared pages become present
 * at each of their addresses.
 */
void memory_read_shared(void)
{
	unsigned char there;

	for (struct memory *memory = memories; memory < memories + MEMORIES; memory++) {
		if (!memory->va || memory->object < 0 || memory->barred || memory->kind == BAR ||
		    memory->owner != memory_owner)
			continue;
		for (size_t at = 0; at < memory_size(memory); at += 1UL << memory->shift)
			if (!mincore(memory->va + at, PAGE_SIZE, &there) && there & 1)
				(void)*(volatile char *)(memory->va + at);
	}
}

/* ---- using -------------------------------------------------------------------- */

static bool may_touch(const char *what, int m, const struct memory *memory, bool write)
{
	if (!memory->barred && !(write && memory->read_only) && memory->kind != BAR)
		return true;
	say("%s m%d: not allowed", what, m);
	return false;
}

void touch(int m, int page, bool write)
{
	struct memory *memory = memory_get("touch", m);
	volatile char *va;

	if (!memory || !may_touch("touch", m, memory, write))
		return;
	va = memory->va + (((size_t)page % memory->pages) << memory->shift);
	if (write) {
		*va = (char)(*va + 1);
		memory->written[(size_t)page % memory->pages] = true;
	}
	say("touch m%d page %zu: %d", m, (size_t)page % memory->pages, *va);
}

void fill(int m, int seed)
{
	struct memory *memory = memory_get("fill", m);

	if (!memory || !may_touch("fill", m, memory, true))
		return;
	set_written(memory);
	for (size_t i = 0; i < memory_size(memory); i += PAGE_SIZE)
		memset(memory->va + i, seed + (int)(i >> PAGE_SHIFT), 64);
	say("fill m%d with %d", m, seed);
}

void contents(int m)
{
	struct memory *memory = memory_get("contents", m);
	uint64_t sum = 0;

	if (!memory || !may_touch("contents", m, memory, false))
		return;
	for (size_t i = 0; i < memory_size(memory); i += PAGE_SIZE / 4)
		sum = sum * 31 + (unsigned char)memory->va[i];
	say("contents m%d: %llx", m, (unsigned long long)sum);
}

/*
 * fork() copies at once what is pinned, and else only what was written. A device that is
 * opened gives new pages to a file in place of pinned ones that another process has removed.
 */
void resident(int m)
{
	struct memory *memory = memory_get("resident", m);
	unsigned char there[MAX_PAGES];
	unsigned int count = 0;
	int result;

	if (!memory || memory->shift != PAGE_SHIFT)
		return;
	result = mincore(memory->va, memory_size(memory), there);
	for (size_t i = 0; !result && i < memory->pages; i++)
		count += there[i] & 1;
	if (memory->copied ||
	    (memory->object >= 0 &&
	     __atomic_load_n(&report->generation[memory->object], __ATOMIC_SEQ_CST)))
		say("resident m%d: %s", m, answer(result));
	else
		say("resident m%d: %s, %u", m, answer(result), count);
}

/* Locked pages are there, and private ones are the process's own. */
void lock_it(int m)
{
	struct memory *memory = memory_get("lock", m);
	int result;

	if (!memory)
		return;
	result = mlock(memory->va, memory_size(memory));
	say("lock m%d: %s", m, answer(result));
	if (!result && !memory->read_only)
		set_written(memory);
}

/*
 * As /proc/self/smaps has them of the mapping at the beginning. A device's registers may be
 * code ("me") if its file has a name, as a cdev has.
 */
void flags(int m)
{
	struct memory *memory = memory_get("flags", m);
	unsigned long long from, to, va;
	bool here = false;
	char line[512], *code;
	FILE *file;

	if (!memory)
		return;
	va = (uintptr_t)memory->va;
	file = fopen("/proc/self/smaps", "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2 &&
		    strchr(line, '-') < strchr(line, ' '))
			here = from <= va && va < to;
		if (!here || strncmp(line, "VmFlags:", 8))
			continue;
		code = memory->kind == BAR ? strstr(line, " me ") : NULL;
		if (code)
			memmove(code, code + 3, strlen(code + 3) + 1);
		say("flags m%d: %.*s", m, (int)strcspn(line + 9, "\n"), line + 9);
	}
	if (file)
		fclose(file);
	else
		say("flags m%d: %s", m, answer(-1));
}
