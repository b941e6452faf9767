/* SPDX-License-Identifier: MIT */
#include "base/limit.h"
#include "base/process.h"

#include <sys/mman.h>

#include "base/checker.h"
#include "base/page.h"
#include "base/sys.h"

/* Missing in the headers of glibc before 2.27. */
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* The process that uses this memory; fork() wipes it. */
struct owner {
	pid_t pid;
};

static struct owner *owner;
static unsigned int generation;
static pid_t current, previous; /* pid of this process, and of the one that it was forked from */

void *process_memory(size_t len)
{
	void *memory = sys_memory(len);

	if (sys_is_error(memory))
		return NULL;
	if (sys_madvise(memory, len, MADV_WIPEONFORK)) {
		sys_memory_free(memory, len);
		return NULL;
	}
	return memory;
}

static void settle(void)
{
	if (!owner)
		owner = process_memory(page_size());
	if (owner && !owner->pid) {
		checker_forget(owner, sizeof(*owner));
		owner->pid = sys_getpid();
		previous = current;
		current = owner->pid;
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

pid_t process_before_fork(void)
{
	settle();
	return previous;
}

/* Where kcmp() is refused, as in the sandboxes of container engines, they may share. */
bool process_may_share_files(void)
{
	const long files = 2; /* KCMP_FILES */

	settle();
	return !previous || sys_call(SYS_kcmp, sys_getpid(), previous, files, 0, 0, 0) <= 0;
}

int process_take_fd(pid_t pid, int fd)
{
	int pidfd = (int)limit_call(SYS_pidfd_open, pid, 0, 0, 0);
	int taken;

	if (pidfd < 0)
		return pidfd;
	taken = (int)limit_call(SYS_pidfd_getfd, pidfd, fd, 0, 0);
	sys_close(pidfd);
	return taken;
}
