/*
 * Memory that is changed and given back. Where the kernel frees pages, what was told of
 * them is forgotten.
 */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Freed for all processes, and in all mappings. */
static void object_changes(const struct memory *memory)
{
	if (memory->object >= 0)
		__atomic_fetch_add(&report->generation[memory->object], 1, __ATOMIC_SEQ_CST);
}

static void gone(struct memory *memory)
{
	if (memory->fd >= 0)
		close(memory->fd);
	*memory = (struct memory){.fd = -1};
}

/* What is cut off at the end is given back; the rest stays. */
void unmap(int m, int from)
{
	struct memory *memory = memory_get("unmap", m);
	size_t rest, begin;
	int result;

	if (!memory)
		return;
	begin = (size_t)from % memory->pages;
	rest = memory->kind == HEAP || memory->kind == SYSV ? 0 : begin;
	if (memory->kind == HEAP) {
		free(memory->va);
		result = 0;
	} else if (memory->kind == SYSV) {
		result = shmdt(memory->va);
	} else {
		result = munmap(memory->va + (rest << memory->shift), (memory->pages - rest)
									      << memory->shift);
	}
	say("unmap m%d from %zu: %s", m, rest, answer(result));
	if (result)
		return;
	if (rest) {
		memory_forget(memory, rest, MAX_PAGES);
		memory->pages = rest;
	} else {
		gone(memory);
	}
}

static bool is_range(const struct memory *memory, int from, int pages, size_t *first, size_t *count)
{
	*first = (size_t)from % memory->pages;
	*count = 1 + (size_t)pages % (memory->pages - *first);
	return true;
}

/* New memory in the place of some pages: their addresses are void. */
void map_over(int m, int from, int pages)
{
	struct memory *memory = memory_get("map over", m);
	size_t first, count;
	void *va;

	if (!memory || !is_range(memory, from, pages, &first, &count))
		return;
	if (memory->kind != ANON || memory->read_only) {
		say("map over m%d: not so", m);
		return;
	}
	va = mmap(memory->va + first * PAGE_SIZE, count * PAGE_SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | (from & 1 ? MAP_POPULATE : 0), -1, 0);
	say("map over m%d %zu+%zu: %s", m, first, count, answer(va == MAP_FAILED ? -1 : 0));
	memory_forget(memory, first, count);
}

void resize(int m, int pages, bool may_move)
{
	struct memory *memory = memory_get("resize", m);
	size_t old;
	void *va;

	if (!memory)
		return;
	if (memory->kind != ANON) {
		say("resize m%d: not anonymous", m);
		return;
	}
	old = memory->pages;
	/* Whether there is room behind it depends on where the kernel put it. */
	may_move |= (size_t)pages > old;
	va = mremap(memory->va, memory_size(memory), (size_t)pages * PAGE_SIZE,
		    may_move ? MREMAP_MAYMOVE : 0);
	say("resize m%d to %d: %s", m, pages, answer(va == MAP_FAILED ? -1 : 0));
	if (va == MAP_FAILED)
		return;
	memory->va = va;
	memory->owner = memory_owner;
	memory->pages = (size_t)pages;
	if (memory->pages < old)
		memory_forget(memory, memory->pages, MAX_PAGES);
}

/* To another address, with all that was told. An empty mapping may stay at the old one. */
void shift_to(int m, bool leave)
{
	struct memory *memory = memory_get("move", m);
	void *to = NULL, *va;
	size_t size;

	if (!memory)
		return;
	if (memory->kind == HEAP || memory->kind == SYSV || memory->shift != PAGE_SHIFT) {
		say("move m%d: not so", m);
		return;
	}
	size = memory_size(memory);
	if (leave) {
		/* libc reads the last one, too. */
		va = mremap(memory->va, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	} else {
		to = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		va = mremap(memory->va, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	}
	say("move m%d: %s", m, answer(va == MAP_FAILED ? -1 : 0));
	if (va == MAP_FAILED)
		return;
	if (leave)
		munmap(memory->va, size);
	memory->va = va;
	memory->owner = memory_owner;
}

void protect(int m, int rights)
{
	static const int all[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
	struct memory *memory = memory_get("protect", m);
	int result;

	if (!memory)
		return;
	result = mprotect(memory->va, memory_size(memory), all[rights]);
	say("protect m%d to %d: %s", m, rights, answer(result));
	if (result)
		return;
	memory->barred = rights == 0;
	memory->read_only = rights < 2;
}

static const struct {
	const char *name;
	int value;
	bool frees;
} advices[] = {
	{"MADV_DONTNEED", MADV_DONTNEED, true},
	{"MADV_WILLNEED", MADV_WILLNEED, false},
	{"MADV_DONTFORK", MADV_DONTFORK, false},
	{"MADV_DOFORK", MADV_DOFORK, false},
	{"MADV_REMOVE", MADV_REMOVE, true},
	{"MADV_DONTDUMP", MADV_DONTDUMP, false},
	{"MADV_FREE", MADV_FREE, false},
	{"MADV_COLD", MADV_COLD, false},
	{"MADV_POPULATE_READ", MADV_POPULATE_READ, false},
	{"MADV_POPULATE_WRITE", MADV_POPULATE_WRITE, false},
	{"4711", 4711, false},
};

static int advise_by_descriptor(void *va, size_t size, int advice)
{
	struct iovec range = {va, size};
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	ssize_t done = process_madvise(self, &range, 1, advice, 0);
	int error = errno;

	close(self);
	errno = error;
	return done < 0 ? -1 : 0;
}

void advise(int m, int from, int pages, int advice, bool by_descriptor)
{
	struct memory *memory = memory_get("advise", m);
	size_t first, count, size;
	bool frees;
	int result;

	if (!memory || !is_range(memory, from, pages, &first, &count))
		return;
	frees = advices[advice].frees;
	if (memory->kind == HEAP || memory->kind == BAR) {
		say("advise m%d: not so", m);
		return;
	}
	size = count << memory->shift;
	if (by_descriptor)
		result = advise_by_descriptor(memory->va + (first << memory->shift), size,
					      advices[advice].value);
	else
		result =
			madvise(memory->va + (first << memory->shift), size, advices[advice].value);
	say("advise m%d %zu+%zu %s%s: %s", m, first, count, advices[advice].name,
	    by_descriptor ? " by descriptor" : "", answer(result));
	memory->stays |= !result && advices[advice].value == MADV_DONTFORK;
	if (!result && advices[advice].value == MADV_POPULATE_WRITE)
		memset(memory->written + first, true, count);
	if (result || !frees)
		return;
	/* Shared pages stay in their file, unless they are removed there. */
	if (memory_is_private(memory))
		memory_forget(memory, first, count);
	else if (advices[advice].value == MADV_REMOVE)
		object_changes(memory);
}

void punch(int m, int from, int pages)
{
	struct memory *memory = memory_get("punch", m);
	size_t first, count;
	int result;

	if (!memory || !is_range(memory, from, pages, &first, &count))
		return;
	result = fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   (off_t)((memory->offset + first) << memory->shift),
			   (off_t)(count << memory->shift));
	say("punch m%d %zu+%zu: %s", m, first, count, answer(result));
	if (!result)
		object_changes(memory);
}

/* To nothing and back, so that all mappings stay whole. */
void truncate_to(int m, int pages)
{
	struct memory *memory = memory_get("truncate", m);
	size_t kept;
	int result;

	if (!memory)
		return;
	if (memory->fd < 0 || memory->kind == BAR) {
		say("truncate m%d: no file", m);
		return;
	}
	kept = (size_t)pages % memory->pages;
	result = ftruncate(memory->fd, (off_t)((memory->offset + kept) << memory->shift));
	if (!result)
		result = ftruncate(memory->fd,
				   (off_t)((memory->offset + MAX_PAGES) << memory->shift));
	say("truncate m%d to %zu: %s", m, kept, answer(result));
	if (!result)
		object_changes(memory);
	if (memory->kind == PRIVATE_MEMFD)
		memory_forget(memory, 0, MAX_PAGES);
}

/* libc moves it by its own mremap(). If it copies it, nothing is at a page's beginning. */
void heap_grow(int m, int pages)
{
	struct memory *memory = memory_get("grow", m);
	char *va;

	if (!memory)
		return;
	if (memory->kind != HEAP) {
		say("grow m%d: not of the heap", m);
		return;
	}
	va = realloc(memory->va, (size_t)pages * PAGE_SIZE);
	if ((uintptr_t)va % PAGE_SIZE) {
		say("grow m%d to %d: copied", m, pages);
		free(va);
		*memory = (struct memory){.fd = -1};
		return;
	}
	say("grow m%d to %d: moved", m, pages);
	memory_forget(memory, (size_t)pages, MAX_PAGES);
	memory->va = va;
	memory->owner = memory_owner;
	memory->pages = (size_t)pages;
}
