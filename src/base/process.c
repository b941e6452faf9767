/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include <sys/mman.h>

#include "base/helgrind.h"
#include "base/sys.h"

/* Missing in the headers of glibc before 2.27. */
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* The process that this memory belongs to; fork() wipes it. */
struct owner {
	pid_t pid;
};

static struct owner *owner;
static unsigned int generation;

void *process_memory(size_t len)
{
	void *memory = sys_mmap(len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

	if (sys_is_error(memory))
		return NULL;
	if (sys_madvise(memory, len, MADV_WIPEONFORK)) {
		sys_munmap(memory, len);
		return NULL;
	}
	return memory;
}

static void settle(void)
{
	if (!owner)
		owner = process_memory(4096);
	if (owner && !owner->pid) {
		helgrind_forget(owner, sizeof(*owner));
		owner->pid = sys_getpid();
		generation++;
	}
}

unsigned int process_generation(void)
{
	settle();
	return generation;
}

bool process_is_guest(void)
{
	settle();
	return owner && owner->pid != sys_getpid();
}
