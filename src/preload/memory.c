/* SPDX-License-Identifier: MIT */
/* Memory that is mapped over, unmapped or moved; files that are truncated. */
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "preload/slow.h"

static inline void *map(void *addr, size_t len, int prot, int flags, int fd, off_t pos,
			__typeof__(mmap) *call)
{
	return flags & MAP_FIXED || (!(flags & MAP_ANONYMOUS) && is_ours(fd))
		       ? slow_mmap(addr, len, prot, flags, fd, pos, call)
		       : call(addr, len, prot, flags, fd, pos);
}

static inline int unmap(void *addr, size_t len, __typeof__(munmap) *call)
{
	return __builtin_expect(memory_told(addr, len), 0) ? slow_munmap(addr, len, call)
							   : call(addr, len);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t pos)
{
	return map(addr, len, prot, flags, fd, pos, NEXT(mmap));
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t pos)
{
	return map(addr, len, prot, flags, fd, pos, NEXT(mmap64));
}

int munmap(void *addr, size_t len)
{
	return unmap(addr, len, NEXT(munmap));
}

void *mremap(void *addr, size_t len, size_t new_len, int flags, ...)
{
	void *to;
	va_list args;

	va_start(args, flags);
	to = va_arg(args, void *);
	va_end(args);
	return slow_mremap(addr, len, new_len, flags, to, NEXT(mremap));
}

int madvise(void *addr, size_t len, int advice)
{
	return slow_madvise(addr, len, advice, NEXT(madvise));
}

ssize_t process_madvise(int pidfd, const struct iovec *iov, size_t count, int advice,
			unsigned int flags)
{
	return slow_process_madvise(pidfd, iov, count, advice, flags, NEXT(process_madvise));
}

int brk(void *end)
{
	return memory_told(NULL, SIZE_MAX) ? slow_brk(end, NEXT(sbrk)(0), NEXT(brk))
					   : NEXT(brk)(end);
}

void *sbrk(intptr_t more)
{
	return more < 0 && memory_told(NULL, SIZE_MAX) ? slow_sbrk(more, NEXT(sbrk)(0), NEXT(sbrk))
						       : NEXT(sbrk)(more);
}

void *__sbrk(intptr_t more)
{
	return more < 0 && memory_told(NULL, SIZE_MAX)
		       ? slow_sbrk(more, NEXT(sbrk)(0), NEXT(__sbrk))
		       : NEXT(__sbrk)(more);
}

int remap_file_pages(void *addr, size_t len, int prot, size_t page, int flags)
{
	return slow_remap_file_pages(addr, len, prot, page, flags, NEXT(remap_file_pages));
}

void *shmat(int id, const void *addr, int flags)
{
	return slow_shmat(id, addr, flags, NEXT(shmat));
}

int shmdt(const void *addr)
{
	return slow_shmdt(addr, NEXT(shmdt));
}

int fallocate(int fd, int mode, off_t pos, off_t len)
{
	return slow_fallocate(fd, mode, pos, len, NEXT(fallocate));
}

int fallocate64(int fd, int mode, off64_t pos, off64_t len)
{
	return slow_fallocate(fd, mode, pos, len, NEXT(fallocate64));
}

int ftruncate(int fd, off_t len)
{
	return slow_ftruncate(fd, len, NEXT(ftruncate));
}

int ftruncate64(int fd, off64_t len)
{
	return slow_ftruncate(fd, len, NEXT(ftruncate64));
}

int truncate(const char *path, off_t len)
{
	return slow_truncate(path, len, NEXT(truncate));
}

int truncate64(const char *path, off64_t len)
{
	return slow_truncate(path, len, NEXT(truncate64));
}

/* ---- by number ---- */

static void *mmap_by_number(void *addr, size_t len, int prot, int flags, int fd, off_t pos)
{
	return (void *)NEXT(syscall)(SYS_mmap, addr, len, (long)prot, (long)flags, (long)fd, pos);
}

static int munmap_by_number(void *addr, size_t len)
{
	return (int)NEXT(syscall)(SYS_munmap, addr, len);
}

static void *mremap_by_number(void *addr, size_t len, size_t new_len, int flags, ...)
{
	void *to;
	va_list args;

	va_start(args, flags);
	to = va_arg(args, void *);
	va_end(args);
	return (void *)NEXT(syscall)(SYS_mremap, addr, len, new_len, (long)flags, to);
}

static int remap_file_pages_by_number(void *addr, size_t len, int prot, size_t page, int flags)
{
	return (int)NEXT(syscall)(SYS_remap_file_pages, addr, len, (long)prot, page, (long)flags);
}

static void *shmat_by_number(int id, const void *addr, int flags)
{
	return (void *)NEXT(syscall)(SYS_shmat, id, addr, flags);
}

static int shmdt_by_number(const void *addr)
{
	return (int)NEXT(syscall)(SYS_shmdt, addr);
}

static int ftruncate_by_number(int fd, off_t len)
{
	return (int)NEXT(syscall)(SYS_ftruncate, fd, len);
}

static int madvise_by_number(void *addr, size_t len, int advice)
{
	return (int)NEXT(syscall)(SYS_madvise, addr, len, (long)advice);
}

static ssize_t process_madvise_by_number(int pidfd, const struct iovec *iov, size_t count,
					 int advice, unsigned int flags)
{
	return NEXT(syscall)(SYS_process_madvise, pidfd, iov, count, (long)advice, (long)flags);
}

static int fallocate_by_number(int fd, int mode, off_t pos, off_t len)
{
	return (int)NEXT(syscall)(SYS_fallocate, fd, (long)mode, pos, len);
}

static int truncate_by_number(const char *path, off_t len)
{
	return (int)NEXT(syscall)(SYS_truncate, path, len);
}

#define ADDR ((void *)a[0])
#define LEN  ((size_t)a[1])

bool memory_by_number(long nr, const long a[6], long *ret)
{
	switch (nr) {
	case SYS_mmap:
		*ret = (long)map(ADDR, LEN, (int)a[2], (int)a[3], (int)a[4], a[5], mmap_by_number);
		return true;
	case SYS_munmap:
		*ret = unmap(ADDR, LEN, munmap_by_number);
		return true;
	case SYS_mremap:
		*ret = (long)slow_mremap(ADDR, LEN, (size_t)a[2], (int)a[3], (void *)a[4],
					 mremap_by_number);
		return true;
	case SYS_madvise:
		*ret = slow_madvise(ADDR, LEN, (int)a[2], madvise_by_number);
		return true;
	case SYS_process_madvise:
		*ret = slow_process_madvise((int)a[0], (const struct iovec *)a[1], (size_t)a[2],
					    (int)a[3], (unsigned int)a[4],
					    process_madvise_by_number);
		return true;
	case SYS_remap_file_pages:
		*ret = slow_remap_file_pages(ADDR, LEN, (int)a[2], (size_t)a[3], (int)a[4],
					     remap_file_pages_by_number);
		return true;
	case SYS_shmat:
		*ret = (long)slow_shmat((int)a[0], (void *)a[1], (int)a[2], shmat_by_number);
		return true;
	case SYS_shmdt:
		*ret = slow_shmdt(ADDR, shmdt_by_number);
		return true;
	case SYS_fallocate:
		*ret = slow_fallocate((int)a[0], (int)a[1], a[2], a[3], fallocate_by_number);
		return true;
	case SYS_ftruncate:
		*ret = slow_ftruncate((int)a[0], a[1], ftruncate_by_number);
		return true;
	case SYS_truncate:
		*ret = slow_truncate((const char *)a[0], a[1], truncate_by_number);
		return true;
	default:
		return false;
	}
}
