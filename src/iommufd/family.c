/* SPDX-License-Identifier: MIT */
#include "iommufd/family.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hidden.h"
#include "base/limit.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/process.h"
#include "base/slab.h"
#include "base/sys.h"
#include "iommufd/cdev.h"
#include "iommufd/ioas.h"

/* The lock on this number serialises changes and scans of the numbers. */
#define TURN	   (FAMILY_LAST + 2)
#define TURN_TRIES 100

/* An open file that only carries a lock. */
struct member {
	struct member *next;
	struct hidden file;
};

static struct slab slab = {.size = sizeof(struct member)};

/* This process's own, then those inherited from its ancestors. */
static struct member *members;
static off_t first; /* offset of the family's locks */
static int number;
static unsigned int generation; /* of the process that has the number */

static int lock(int which, short type)
{
	struct flock range = {.l_type = type, .l_start = first + which, .l_len = 1};

	return (int)sys_fcntl(members->file.fd, F_OFD_SETLK, (long)&range);
}

static int add(int fd)
{
	struct member *member = slab_alloc(&slab);
	int ret;

	if (!member) {
		sys_close(fd);
		return -ENOMEM;
	}
	member->file = (struct hidden)HIDDEN_NONE;
	ret = hidden_take(&member->file, fd);
	if (ret) {
		slab_free(&slab, member);
		return ret;
	}
	member->next = members;
	members = member;
	return 0;
}

static void drop(void)
{
	struct member *member = members;

	members = member->next;
	hidden_close(&member->file);
	slab_free(&slab, member);
}

void family_leave(void)
{
	while (members)
		drop();
}

/* The parent's file is the one after the own one. */
void family_succeed(void)
{
	struct member *parents = members ? members->next : NULL;

	if (!parents || generation != process_generation())
		return;
	members->next = parents->next;
	hidden_close(&parents->file);
	slab_free(&slab, parents);
}

void family_abandon(void)
{
	members = NULL;
}

/*
 * Gives up in the end: a process that is stopped while it has the lock must not block the
 * others.
 */
static bool take_turn(void)
{
	for (int tries = 0; tries < TURN_TRIES; tries++) {
		if (!lock(TURN, F_WRLCK))
			return true;
		sys_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	return false;
}

static int take_number(void)
{
	int ret = -EAGAIN;

	if (!take_turn())
		return ret;
	for (number = 1; number <= FAMILY_LAST && ret == -EAGAIN; number++)
		ret = lock(number, F_WRLCK);
	number--;
	lock(TURN, F_UNLCK);
	return ret;
}

/* Opens the iommufd's device node again, even if /dev has been replaced. */
static int open_node(void)
{
	char path[64];
	struct stat node, opened;
	int fd;

	format(path, sizeof(path), "self/fd/%d", ioas_fd());
	fd = proc_open(path, O_RDWR);
	if (fd >= 0)
		return fd;
	fd = limit_open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (fd < 0 || (!sys_fstat(ioas_fd(), &node) && !sys_fstat(fd, &opened) &&
		       node.st_dev == opened.st_dev && node.st_ino == opened.st_ino))
		return fd;
	sys_close(fd);
	return -ENOENT;
}

/* The files inherited by fork() stay open as well. */
static int join(void)
{
	uint64_t identity;
	int ret = ioas_identity(&identity);
	int fd = ret ? ret : open_node();

	ret = fd < 0 ? fd : add(fd);
	if (ret)
		return ret;
	first = CDEV_LOCKS + (off_t)(identity * FAMILY_LOCKS);
	ret = take_number();
	if (ret)
		drop();
	else
		generation = process_generation();
	return ret;
}

/* Its file may be closed by now, by a raw system call. */
static bool has_number(void)
{
	return members && generation == process_generation();
}

int family_number(void)
{
	int ret = 0;

	/* Generation 0: no memory that fork() wipes, so a child could not tell that it is one. */
	if (!process_generation())
		return -ENOENT;
	if (!has_number() || !hidden_check(&members->file))
		ret = join();
	return ret ? ret : number;
}

/* The first number at or above from that is taken; FAMILY_LAST + 1: none. */
static int next_taken(int from)
{
	int end = FAMILY_LAST + 1;

	if (number >= from)
		end = number;
	while (end > from) {
		struct flock range = {
			.l_type = F_WRLCK, .l_start = first + from, .l_len = end - from};
		int ret = (int)sys_fcntl(members->file.fd, F_OFD_GETLK, (long)&range);

		if (ret)
			return ret;
		if (range.l_type == F_UNLCK)
			break;
		/* The kernel reports any conflicting lock, not always the first. */
		end = (int)(range.l_start - first);
	}
	return end;
}

void family_each_gone(void (*what)(unsigned int first, unsigned int last))
{
	bool joins = !has_number();
	int taken;

	if (joins && !ioas_has_identity())
		return;
	if (family_number() < 0 || lock(TURN, F_WRLCK))
		return;
	/* Whoever had the number before is gone. */
	if (joins)
		what((unsigned int)number, (unsigned int)number);
	for (int from = 1; from <= FAMILY_LAST; from = taken + 1) {
		taken = next_taken(from);
		if (taken < 0)
			break;
		if (taken > from)
			what((unsigned int)from, (unsigned int)taken - 1);
	}
	lock(TURN, F_UNLCK);
}
