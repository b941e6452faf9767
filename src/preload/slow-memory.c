/* SPDX-License-Identifier: MIT */
/* What takes memory away from under a pin. */
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
	memory_leaving((uintptr_t)addr, len);
	ret = call(addr, len, prot, flags, fd, pos);
	if (ret != MAP_FAILED)
		memory_left((uintptr_t)addr, len);
	return ret;
}

/* A group or container cannot be mapped, whatever stands behind it: do_mmap() in mm/mmap.c */
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
		memory_leaving((uintptr_t)addr, len);
	ret = call(addr, len, prot, page, flags);
	if (told && !ret)
		memory_left((uintptr_t)addr, len);
	return ret;
}

/* 0: it cannot be told. */
static size_t segment_size(int id)
{
	struct shmid_ds segment;

	return shmctl(id, IPC_STAT, &segment) ? 0 : segment.shm_segsz;
}

void *slow_shmat(int id, const void *addr, int flags, __typeof__(shmat) *call)
{
	size_t len = flags & SHM_REMAP && store_count() ? segment_size(id) : 0;
	bool told = len && memory_told(addr, len);
	void *ret;

	if (told)
		memory_leaving((uintptr_t)addr, len);
	ret = call(id, addr, flags);
	if (told && ret != (void *)-1)
		memory_left((uintptr_t)addr, len);
	return ret;
}

/* ---- giving back ---- */

int slow_munmap(void *addr, size_t len, __typeof__(munmap) *call)
{
	int ret;

	memory_leaving((uintptr_t)addr, len);
	ret = call(addr, len);
	if (!ret)
		memory_left((uintptr_t)addr, len);
	return ret;
}

int slow_shmdt(const void *addr, __typeof__(shmdt) *call)
{
	size_t len = store_count() ? memory_detaching((uintptr_t)addr) : 0;
	int ret = call(addr);

	if (!ret && len)
		memory_detached((uintptr_t)addr, len);
	return ret;
}

/*
 * The range was advised, or a part of it: then what is pinned is looked at. A page that
 * MADV_FREE named is not gone yet, and one that it did not reach looks the same.
 */
static void advised(void *addr, size_t len, int advice, bool whole)
{
	/* What goes out of a file goes from its other mappings, too. */
	if (advice == MADV_REMOVE && store_count())
		memory_removed((uintptr_t)addr, len);
	if (!memory_told(addr, len))
		return;
	switch (advice) {
	case MADV_FREE:
		if (whole)
			memory_discarded((uintptr_t)addr, len, false);
		break;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_GUARD_INSTALL:
		memory_discarded((uintptr_t)addr, len, true);
		break;
	}
}

/* Where nothing is mapped in a part of the range, the rest was advised: mm/madvise.c. */
int slow_advised(void *addr, size_t len, int advice, int ret)
{
	if (!ret || errno == ENOMEM)
		advised(addr, len, advice, !ret);
	return ret;
}

/*
 * The kernel discards no other process's memory (process_madvise_remote_valid() in
 * mm/madvise.c): whatever the descriptor says, this was the memory of our own. ret are the
 * bytes of all ranges that were advised wholly; the next one can have been in part.
 */
ssize_t slow_process_advised(const struct iovec *iov, size_t count, int advice, ssize_t ret)
{
	size_t left = ret < 0 ? 0 : (size_t)ret;
	struct iovec part;

	if ((ret < 0 && errno != ENOMEM) || !memory_told(NULL, SIZE_MAX))
		return ret;
	for (size_t i = 0; i < count && !user_read(&part, iov + i, sizeof(part)); i++) {
		bool whole = part.iov_len <= left;

		advised(part.iov_base, part.iov_len, advice, whole);
		if (!whole)
			break;
		left -= part.iov_len;
	}
	return ret;
}

/* ---- moving ---- */

/* The pages go along to the new place; what the mapping loses at its end is gone. */
static void moved(struct memory_move move, uintptr_t from, size_t len, void *new, size_t kept)
{
	memory_moved(move, from, new == MAP_FAILED ? from : (uintptr_t) new, kept);
	if (new != MAP_FAILED && kept < len)
		memory_left(from + kept, len - kept);
}

void *slow_mremap(void *addr, size_t len, size_t new_len, int flags, void *to,
		  __typeof__(mremap) *call)
{
	size_t kept = new_len < len ? new_len : len;
	bool over = flags & MREMAP_FIXED && memory_told(to, new_len);
	struct memory_move move = {.held = NULL};
	void *new;
	bool told;

	if (kept < len && memory_told(addr, len))
		memory_leaving((uintptr_t)addr + kept, len - kept);
	if (over)
		memory_leaving((uintptr_t)to, new_len);
	/* Last: what is moved may have got its pins by what it is moved over. */
	told = memory_told(addr, len);
	if (told)
		move = memory_moving((uintptr_t)addr, kept);
	new = call(addr, len, new_len, flags, to);
	if (over && new != MAP_FAILED)
		memory_left((uintptr_t)to, new_len);
	if (told)
		moved(move, (uintptr_t)addr, len, new, kept);
	return new;
}

/* ---- files ---- */

int slow_allocated(int fd, int mode, off_t pos, off_t len, int ret)
{
	if (ret)
		return ret;
	/* These take all pages out of memory from there on: the rest of the file moves. */
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		memory_punched(fd, pos, INT64_MAX - pos);
	else if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_WRITE_ZEROES))
		memory_punched(fd, pos, len);
	return 0;
}

int slow_ftruncate(int fd, off_t len, __typeof__(ftruncate) *call)
{
	bool cuts = memory_truncating(fd, len);
	int ret = call(fd, len);

	if (!ret && cuts)
		memory_truncated(fd, len);
	return ret;
}

int slow_truncated(const char *path, off_t len, int ret)
{
	int fd = !ret && store_count() ? sys_open(path, O_PATH | O_CLOEXEC) : -1;

	if (fd >= 0) {
		memory_truncated(fd, len);
		sys_close(fd);
	}
	return ret;
}
