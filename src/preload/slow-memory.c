/* SPDX-License-Identifier: MIT */
/* Slow paths of calls that unmap, move or discard memory. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/event.h"
#include "base/sys.h"
#include "base/user.h"
#include "door/observe.h"
#include "preload/slow.h"

/* Missing in older headers. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#define MADV_GUARD_INSTALL 102
#ifndef FALLOC_FL_WRITE_ZEROES
#define FALLOC_FL_WRITE_ZEROES 0x80
#endif

/* ---- mapping over something ---- */

static void *map_over(void *addr, size_t len, int prot, int flags, int fd, off_t pos,
		      __typeof__(mmap) *call)
{
	void *ret;

	if (!(flags & MAP_FIXED) || !memory_told(addr, len))
		return call(addr, len, prot, flags, fd, pos);
	if (flags & MAP_ANONYMOUS)
		memory_leaving((uintptr_t)addr, len);
	else
		memory_leaving_for((uintptr_t)addr, len, fd, pos);
	ret = call(addr, len, prot, flags, fd, pos);
	if (ret != MAP_FAILED)
		memory_left((uintptr_t)addr, len);
	return ret;
}

/* A group or container cannot be mapped, even if the file behind it can: do_mmap() in mm/mmap.c */
static int refused(int fd, int prot, int flags)
{
	int mode = fd_file_flags(fd, 0) & O_ACCMODE;

	if (mode == O_WRONLY || (mode == O_RDONLY && prot & PROT_WRITE && flags & MAP_SHARED))
		return -EACCES;
	return -ENODEV;
}

void *slow_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t pos,
		__typeof__(mmap) *call)
{
	bool ours = !(flags & MAP_ANONYMOUS) && is_ours(fd);
	uint64_t start = event_start();
	void *ret;

	if (ours && fd_is_mute(fd)) {
		result(refused(fd, prot, flags));
		return MAP_FAILED;
	}
	ret = map_over(addr, len, prot, flags, fd, pos, call);
	if (ours)
		observe_mapped(fd, len, prot, pos, ret == MAP_FAILED ? -errno : (intptr_t)ret,
			       start);
	return ret;
}

int slow_remap_file_pages(void *addr, size_t len, int prot, size_t page, int flags,
			  __typeof__(remap_file_pages) *call)
{
	bool told = memory_told(addr, len);
	int ret;

	if (told)
		memory_leaving_for_part((uintptr_t)addr, len, 0, (uint64_t)page * PIN_PAGE_SIZE);
	ret = call(addr, len, prot, page, flags);
	if (told && !ret)
		memory_left((uintptr_t)addr, len);
	return ret;
}

/* 0: unknown. */
static size_t segment_size(int id)
{
	struct shmid_ds segment;

	return shmctl(id, IPC_STAT, &segment) ? 0 : segment.shm_segsz;
}

void *slow_shmat(int id, const void *addr, int flags, __typeof__(shmat) *call)
{
	bool over = flags & SHM_REMAP && memory_told(NULL, SIZE_MAX);
	size_t len = over ? segment_size(id) : 0;
	/* The kernel rounds it down, or fails: do_shmat() in ipc/shm.c. */
	uintptr_t at = (uintptr_t)addr & ~(PIN_PAGE_SIZE - 1);
	bool told = len && memory_told((void *)at, len);
	void *ret;

	/* A segment's inode number is its id: newseg() in ipc/shm.c. */
	if (told)
		memory_leaving_for_part(at, len, (ino_t)id, 0);
	ret = call(id, addr, flags);
	if (told && ret != (void *)-1)
		memory_left(at, len);
	return ret;
}

/* ---- unmapping and discarding ---- */

int slow_munmap(void *addr, size_t len, __typeof__(munmap) *call)
{
	int ret;

	memory_leaving(user_address(addr), len);
	ret = call(addr, len);
	if (!ret)
		memory_left(user_address(addr), len);
	return ret;
}

int slow_shmdt(const void *addr, __typeof__(shmdt) *call)
{
	size_t len = memory_told(NULL, SIZE_MAX) ? memory_detaching((uintptr_t)addr) : 0;
	int ret = call(addr);

	if (!ret && len)
		memory_detached((uintptr_t)addr, len);
	return ret;
}

/* Not MADV_FREE: the pages stay until the kernel takes them. */
static bool discards(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED ||
	       advice == MADV_GUARD_INSTALL;
}

/* A hole in the file affects its other mappings as well. */
static bool removes(int advice)
{
	return advice == MADV_REMOVE && memory_told(NULL, SIZE_MAX);
}

static void advising(void *addr, size_t len, int advice)
{
	if (discards(advice) && memory_told(addr, len))
		memory_discarding(user_address(addr), len);
	else if (removes(advice))
		memory_removing(user_address(addr), len);
}

/* The range was advised, at least in part. */
static void advised(void *addr, size_t len, int advice)
{
	if (discards(advice) && memory_told(addr, len))
		memory_discarded(user_address(addr), len);
	else if (removes(advice))
		memory_removed(user_address(addr), len);
}

int slow_madvise(void *addr, size_t len, int advice, __typeof__(madvise) *call)
{
	int ret;

	advising(addr, len, advice);
	ret = call(addr, len, advice);
	/* ENOMEM: a part of the range is not mapped, the rest was advised: mm/madvise.c. */
	if (!ret || errno == ENOMEM)
		advised(addr, len, advice);
	return ret;
}

/*
 * The kernel discards memory of the calling process only (process_madvise_remote_valid()
 * in mm/madvise.c), so pidfd need not be checked. Nor does it matter which of the ranges
 * were advised: a page that is still there stays pinned.
 */
ssize_t slow_process_madvise(int pidfd, const struct iovec *iov, size_t count, int advice,
			     unsigned int flags, process_madvise_call *call)
{
	bool told = (discards(advice) || removes(advice)) && memory_told(NULL, SIZE_MAX);
	struct iovec part;
	ssize_t ret;

	for (size_t i = 0; told && i < count && !user_read(&part, iov + i, sizeof(part)); i++)
		advising(part.iov_base, part.iov_len, advice);
	ret = call(pidfd, iov, count, advice, flags);
	for (size_t i = 0; told && i < count && !user_read(&part, iov + i, sizeof(part)); i++)
		advised(part.iov_base, part.iov_len, advice);
	return ret;
}

int slow_brk(void *end, char *old, __typeof__(brk) *call)
{
	size_t len = (char *)end < old ? (size_t)(old - (char *)end) : 0;
	bool told = len && memory_told(end, len);
	int ret;

	if (told)
		memory_leaving((uintptr_t)end, len);
	ret = call(end);
	if (told && !ret)
		memory_left((uintptr_t)end, len);
	return ret;
}

void *slow_sbrk(intptr_t more, char *old, __typeof__(sbrk) *call)
{
	size_t len = more < 0 && old != (void *)-1 ? (size_t)-more : 0;
	bool told = len && memory_told(old - len, len);
	void *ret;

	if (told)
		memory_leaving((uintptr_t)old - len, len);
	ret = call(more);
	if (told && ret != (void *)-1)
		memory_left((uintptr_t)old - len, len);
	return ret;
}

/* ---- moving ---- */

void *slow_mremap(void *addr, size_t len, size_t new_len, int flags, void *to,
		  __typeof__(mremap) *call)
{
	size_t kept = new_len < len ? new_len : len;
	bool over = flags & MREMAP_FIXED && memory_told(to, new_len);
	bool told = memory_told(addr, len);
	uintptr_t from = user_address(addr);
	void *new;

	if (told && kept < len)
		memory_leaving(from + kept, len - kept);
	if (over)
		memory_leaving((uintptr_t)to, new_len);
	/* Tested again: memory_leaving() may have moved pins from there to here. */
	told = memory_told(addr, len);
	if (told)
		memory_moving(from, kept);
	new = call(addr, len, new_len, flags, to);
	if (new == MAP_FAILED)
		return new;
	if (over)
		memory_left((uintptr_t)to, new_len);
	if (told) {
		/* The kept pages move; the rest is unmapped. */
		memory_moved(from, (uintptr_t) new, kept);
		if (kept < len)
			memory_left(from + kept, len - kept);
	}
	return new;
}

/* ---- files ---- */

int slow_fallocate(int fd, int mode, off_t pos, off_t len, __typeof__(fallocate) *call)
{
	/* These move the rest of the file: the kernel drops all its pages from pos on. */
	bool moves = mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);
	bool cuts = moves ||
		    mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_WRITE_ZEROES);
	off_t cut = moves ? INT64_MAX - pos : len;
	int ret;

	if (cuts)
		memory_punching(fd, pos, cut);
	ret = call(fd, mode, pos, len);
	if (cuts && !ret)
		memory_punched(fd, pos, cut);
	return ret;
}

int slow_ftruncate(int fd, off_t len, __typeof__(ftruncate) *call)
{
	bool cuts = memory_truncating(fd, len);
	int ret = call(fd, len);

	if (!ret && cuts)
		memory_truncated(fd, len);
	return ret;
}

int slow_truncate(const char *path, off_t len, __typeof__(truncate) *call)
{
	int fd = memory_told(NULL, SIZE_MAX) ? sys_open(path, O_PATH | O_CLOEXEC) : -1;
	bool cuts = fd >= 0 && memory_truncating(fd, len);
	int ret = call(path, len);

	if (!ret && cuts)
		memory_truncated(fd, len);
	if (fd >= 0)
		sys_close(fd);
	return ret;
}
