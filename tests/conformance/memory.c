/* SPDX-License-Identifier: MIT */
/* mmap, munmap, mremap, madvise, brk, shared memory, and cutting files. */
#include "conformance.h"

#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define PAGE 4096
#define ANY  (MAP_PRIVATE | MAP_ANONYMOUS)

typedef void *map_function(void *addr, size_t len, int prot, int flags, int fd, off_t pos);

static char *anonymous(size_t pages)
{
	char *map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, ANY, -1, 0);

	memset(map, 'x', pages * PAGE);
	return map;
}

static void maps(map_function *with)
{
	int fd = own_file(O_RDWR);
	char *map = CALL_POINTER(with(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	char *over = anonymous(3);

	tell_bytes(map, 9);
	over = CALL_POINTER(with(over + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0),
			    MAP_FAILED);
	tell_bytes(over - 2, 4);
	CALL_POINTER(with(NULL, 0, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
	CALL_POINTER(with(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 1), MAP_FAILED);
	CALL_POINTER(with(NULL, PAGE, PROT_READ, 0, fd, 0), MAP_FAILED);
	CALL_POINTER(with(NULL, PAGE, PROT_READ, MAP_SHARED, -1, 0), MAP_FAILED);
	CALL_POINTER(with((void *)1, PAGE, PROT_READ, ANY | MAP_FIXED, -1, 0), MAP_FAILED);
	CALL_POINTER(with(over, PAGE, PROT_READ, ANY | MAP_FIXED_NOREPLACE, -1, 0), MAP_FAILED);
	CALL_POINTER(with(NULL, SIZE_MAX / 2, PROT_READ, ANY, -1, 0), MAP_FAILED);
	CALL_POINTER(with(NULL, PAGE, PROT_WRITE, MAP_SHARED, own_file(O_RDONLY), 0), MAP_FAILED);
	tell_and_close(fd);
}

CASE(mmap)
{
	maps(the.mmap);
}

CASE(mmap64)
{
	maps(the.mmap64);
}

CASE(munmap)
{
	char *map = anonymous(3);

	CALL(the.munmap(map + PAGE, 1));
	tell("%c %c", map[0], map[2 * PAGE]);
	CALL(the.munmap(map + PAGE, PAGE));
	CALL(the.munmap(map + 1, PAGE));
	CALL(the.munmap(map, 0));
	CALL(the.munmap(map, SIZE_MAX));
	CALL(the.munmap(map, 3 * PAGE));
}

CASE(mremap)
{
	char *map = anonymous(3), *other = anonymous(3);

	map = CALL_POINTER(the.mremap(map, 3 * PAGE, 2 * PAGE, 0), MAP_FAILED);
	map = CALL_POINTER(the.mremap(map, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
	tell("%c%d", map[PAGE], map[4 * PAGE]);
	other = CALL_POINTER(
		the.mremap(map, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other + PAGE),
		MAP_FAILED);
	tell("%c%c", other[-1], other[0]);
	CALL_POINTER(the.mremap(map, PAGE, PAGE, MREMAP_FIXED, other), MAP_FAILED);
	CALL_POINTER(the.mremap(map + 1, PAGE, PAGE, 0), MAP_FAILED);
	CALL_POINTER(the.mremap(other, PAGE, 0, 0), MAP_FAILED);
	CALL_POINTER(the.mremap(BAD, PAGE, 2 * PAGE, MREMAP_MAYMOVE), MAP_FAILED);
}

CASE(madvise)
{
	char *map = anonymous(2);

	CALL(the.madvise(map, PAGE, MADV_DONTNEED));
	tell("%d%c", map[0], map[PAGE]);
	CALL(the.madvise(map, 2 * PAGE, MADV_WILLNEED));
	CALL(the.madvise(map, 2 * PAGE, MADV_REMOVE));
	CALL(the.madvise(map, 2 * PAGE, 12345));
	CALL(the.madvise(map + 1, PAGE, MADV_DONTNEED));
	CALL(the.madvise(map, 0, MADV_DONTNEED));
	munmap(map, 2 * PAGE);
	CALL(the.madvise(map, PAGE, MADV_DONTNEED));
}

CASE(process_madvise)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	char *map = anonymous(4);
	struct iovec ranges[] = {{map, PAGE}, {map + 2 * PAGE, PAGE}, {BAD, PAGE}};

	CALL(the.process_madvise(self, ranges, 2, MADV_WILLNEED, 0));
	CALL(the.process_madvise(self, ranges, 2, MADV_DONTNEED, 0));
	tell("%d%d%d%d", !map[0], !map[PAGE], !map[2 * PAGE], !map[3 * PAGE]);
	CALL(the.process_madvise(self, ranges, 3, MADV_WILLNEED, 0));
	CALL(the.process_madvise(self, BAD, 2, MADV_WILLNEED, 0));
	CALL(the.process_madvise(self, ranges, 5000, MADV_WILLNEED, 0));
	CALL(the.process_madvise(self, ranges, 2, 12345, 0));
	CALL(the.process_madvise(self, ranges, 2, MADV_WILLNEED, 1));
	CALL(the.process_madvise(-1, ranges, 2, MADV_WILLNEED, 0));
}

CASE(brk)
{
	char *end = sbrk(0);

	CALL(the.brk(end + 4 * PAGE));
	tell("%ld", (long)((char *)sbrk(0) - end));
	CALL(the.brk(end));
	tell("%ld", (long)((char *)sbrk(0) - end));
	CALL(the.brk((void *)-1));
}

static void breaks(void *with(intptr_t more))
{
	char *end = CALL_POINTER(with(0), (void *)-1);

	tell("%ld", (long)((char *)with(PAGE) - end));
	tell("%ld", (long)((char *)with(-PAGE) - end));
	CALL_POINTER(with(INTPTR_MAX), (void *)-1);
	CALL_POINTER(with(INTPTR_MIN), (void *)-1);
}

CASE(sbrk)
{
	breaks(the.sbrk);
}

CASE(__sbrk)
{
	breaks(the.__sbrk);
}

CASE(remap_file_pages)
{
	int fd = own_file(O_RDWR);
	char *map;

	CALL(ftruncate(fd, 2 * PAGE));
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CALL(the.remap_file_pages(map + PAGE, PAGE, 0, 0, 0));
	tell_bytes(map + PAGE, 9);
	CALL(the.remap_file_pages(map, PAGE, PROT_READ, 0, 0));
	CALL(the.remap_file_pages(anonymous(1), PAGE, 0, 0, 0));
}

CASE(shmat)
{
	int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
	char *over = anonymous(4);
	char *at = CALL_POINTER(the.shmat(id, NULL, 0), (void *)-1);

	strcpy(at, "shared");
	CALL_POINTER(the.shmat(id, over + PAGE, 0), (void *)-1);
	at = CALL_POINTER(the.shmat(id, over + PAGE, SHM_REMAP), (void *)-1);
	tell_bytes(at - 2, 8);
	CALL_POINTER(the.shmat(id, NULL, SHM_REMAP), (void *)-1);
	CALL_POINTER(the.shmat(id, over + 1, 0), (void *)-1);
	CALL_POINTER(the.shmat(-1, NULL, 0), (void *)-1);
	shmctl(id, IPC_RMID, NULL);
}

CASE(shmdt)
{
	int id = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600);
	char *at = shmat(id, NULL, 0);

	shmctl(id, IPC_RMID, NULL);
	CALL(the.shmdt(at + 1));
	CALL(the.shmdt(at));
	CALL(the.shmdt(at));
	CALL(the.shmdt(anonymous(1)));
	CALL(the.shmdt(NULL));
}

static void allocates(int with(int fd, int mode, off_t pos, off_t len))
{
	int fd = own_file(O_RDWR);
	int ends[2];

	CALL(with(fd, 0, 0, 4 * PAGE));
	CALL(with(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * PAGE));
	CALL(with(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
	CALL(with(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
	CALL(with(fd, 0, -1, PAGE));
	CALL(with(fd, 0, 0, 0));
	CALL(with(-1, 0, 0, PAGE));
	CALL(with(own_file(O_RDONLY), 0, 0, PAGE));
	if (syscall(SYS_pipe2, ends, 0))
		abort();
	CALL(with(ends[1], 0, 0, PAGE));
	tell_and_close(fd);
}

CASE(fallocate)
{
	allocates(the.fallocate);
}

CASE(fallocate64)
{
	allocates(the.fallocate64);
}

static void cuts(int with(int fd, off_t len))
{
	int fd = own_file(O_RDWR);

	CALL(with(fd, 9));
	CALL(with(fd, 3 * PAGE));
	CALL(with(fd, -1));
	CALL(with(-1, 0));
	CALL(with(own_file(O_RDONLY), 0));
	tell_and_close(fd);
}

CASE(ftruncate)
{
	cuts(the.ftruncate);
}

CASE(ftruncate64)
{
	cuts(the.ftruncate64);
}

static void cuts_names(int with(const char *path, off_t len))
{
	for (const char *const *path = paths; *path; path++) {
		tell("%s", shown(*path));
		CALL(with(*path, 5));
	}
	CALL(with("file", -1));
	tell_and_close(own_file(O_RDONLY));
}

CASE(truncate)
{
	cuts_names(the.truncate);
}

CASE(truncate64)
{
	cuts_names(the.truncate64);
}
