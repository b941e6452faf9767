/* SPDX-License-Identifier: MIT */
/* What takes memory away from under a pin. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/event.h"
#include "base/sys.h"
#include "door/fd.h"
#include "door/memory.h"
#include "door/observe.h"
#include "preload/next.h"

/* Missing in older headers. */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#define MADV_GUARD_INSTALL 102

/* Makes call, which takes [addr, addr + len) away when it succeeds. */
#define TAKING_AWAY(addr, len, failed, call)                                                       \
	({                                                                                         \
		__typeof__(call) ret_;                                                             \
		if (__builtin_expect(memory_told(addr, len), 0)) {                                 \
			memory_leaving((uintptr_t)(addr), len);                                    \
			ret_ = (call);                                                             \
			if (ret_ != (failed))                                                      \
				memory_left((uintptr_t)(addr), len);                               \
		} else {                                                                           \
			ret_ = (call);                                                             \
		}                                                                                  \
		ret_;                                                                              \
	})

/* A group or container cannot be mapped, whatever stands behind it: do_mmap() in mm/mmap.c */
static int refused(int fd, int prot, int flags)
{
	int mode = fd_file_flags(fd, 0) & O_ACCMODE;

	if (mode == O_WRONLY || (mode == O_RDONLY && prot & PROT_WRITE && flags & MAP_SHARED))
		return EACCES;
	return ENODEV;
}

typedef void *(*mmap_call)(void *addr, size_t len, int prot, int flags, int fd, off_t pos);

/* Mapping over something. */
ELSEWHERE void *mmap_over(mmap_call call, void *addr, size_t len, int prot, int flags, int fd,
			  off_t pos)
{
	return TAKING_AWAY(addr, len, MAP_FAILED, call(addr, len, prot, flags, fd, pos));
}

static inline void *map(mmap_call call, void *addr, size_t len, int prot, int flags, int fd,
			off_t pos)
{
	return flags & MAP_FIXED ? mmap_over(call, addr, len, prot, flags, fd, pos)
				 : call(addr, len, prot, flags, fd, pos);
}

/* fd is one of ours. */
ELSEWHERE void *mmap_ours(mmap_call call, void *addr, size_t len, int prot, int flags, int fd,
			  off_t pos)
{
	uint64_t start = event_start();
	void *ret;

	if (fd_is_mute(fd)) {
		errno = refused(fd, prot, flags);
		return MAP_FAILED;
	}
	ret = map(call, addr, len, prot, flags, fd, pos);
	observe_mapped(fd, len, prot, pos, ret == MAP_FAILED ? -errno : (intptr_t)ret, start);
	return ret;
}

static inline void *any_mmap(mmap_call call, void *addr, size_t len, int prot, int flags, int fd,
			     off_t pos)
{
	return flags & MAP_ANONYMOUS || fdtab_kind(fd) == FD_NOT_OURS
		       ? map(call, addr, len, prot, flags, fd, pos)
		       : mmap_ours(call, addr, len, prot, flags, fd, pos);
}

void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t pos)
{
	return any_mmap(NEXT(mmap), addr, len, prot, flags, fd, pos);
}

void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t pos)
{
	return any_mmap(NEXT(mmap64), addr, len, prot, flags, fd, pos);
}

int munmap(void *addr, size_t len)
{
	return TAKING_AWAY(addr, len, -1, NEXT(munmap)(addr, len));
}

/* The pages go along to the new place; what the mapping loses at its end is gone. */
static void remapped(struct memory_move move, uintptr_t from, size_t len, void *new, size_t new_len)
{
	size_t kept = new_len < len ? new_len : len;

	memory_moved(move, from, new == MAP_FAILED ? from : (uintptr_t) new, kept);
	if (new != MAP_FAILED && kept < len)
		memory_left(from + kept, len - kept);
}

/* What is remapped may get pins only by what it is moved over. */
#define REMAP(addr, len, new_len, flags, to, call)                                                 \
	({                                                                                         \
		size_t kept_ = (new_len) < (len) ? (new_len) : (len);                              \
		struct memory_move move_ = {.held = NULL};                                         \
		bool told_ = false;                                                                \
		void *new_;                                                                        \
		if (kept_ < (len) && memory_told(addr, len))                                       \
			memory_leaving((uintptr_t)(addr) + kept_, (len)-kept_);                    \
		new_ = (flags)&MREMAP_FIXED                                                        \
			       ? TAKING_AWAY(to, new_len, MAP_FAILED, HOLDING(addr, len, call))    \
			       : HOLDING(addr, len, call);                                         \
		if (told_)                                                                         \
			remapped(move_, (uintptr_t)(addr), len, new_, new_len);                    \
		new_;                                                                              \
	})

/* Of REMAP(): makes call while what it may move is held. */
#define HOLDING(addr, len, call)                                                                   \
	({                                                                                         \
		told_ = memory_told(addr, len);                                                    \
		if (told_)                                                                         \
			move_ = memory_moving((uintptr_t)(addr), kept_);                           \
		(call);                                                                            \
	})

void *mremap(void *addr, size_t len, size_t new_len, int flags, ...)
{
	void *to;
	va_list args;

	va_start(args, flags);
	to = va_arg(args, void *);
	va_end(args);
	return REMAP(addr, len, new_len, flags, to, NEXT(mremap)(addr, len, new_len, flags, to));
}

static int advised(void *addr, size_t len, int advice, int ret)
{
	/* What goes out of a file goes from its other mappings, too. */
	if (!ret && advice == MADV_REMOVE && store_count())
		memory_removed((uintptr_t)addr, len);
	if (ret || !memory_told(addr, len))
		return ret;
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_GUARD_INSTALL:
		memory_discarded((uintptr_t)addr, len, advice != MADV_FREE);
		break;
	}
	return ret;
}

int madvise(void *addr, size_t len, int advice)
{
	return advised(addr, len, advice, NEXT(madvise)(addr, len, advice));
}

int brk(void *end)
{
	char *old = memory_told(NULL, SIZE_MAX) ? NEXT(sbrk)(0) : end;
	int ret = NEXT(brk)(end);

	if (!ret && (char *)end < old && memory_told(end, (size_t)(old - (char *)end)))
		memory_left((uintptr_t)end, (size_t)(old - (char *)end));
	return ret;
}

static void *moved_break(char *old, intptr_t more)
{
	if (more < 0 && old != (void *)-1 && memory_told(old + more, (size_t)-more))
		memory_left((uintptr_t)(old + more), (size_t)-more);
	return old;
}

void *sbrk(intptr_t more)
{
	return moved_break(NEXT(sbrk)(more), more);
}

void *__sbrk(intptr_t more)
{
	return moved_break(NEXT(__sbrk)(more), more);
}

int remap_file_pages(void *addr, size_t len, int prot, size_t page, int flags)
{
	return TAKING_AWAY(addr, len, -1, NEXT(remap_file_pages)(addr, len, prot, page, flags));
}

static size_t segment_size(int id)
{
	struct shmid_ds segment;

	return shmctl(id, IPC_STAT, &segment) ? 0 : segment.shm_segsz;
}

#define ATTACH(id, addr, flags, call)                                                              \
	((flags)&SHM_REMAP && store_count()                                                        \
		 ? TAKING_AWAY(addr, segment_size(id), (void *)-1, call)                           \
		 : (call))

void *shmat(int id, const void *addr, int flags)
{
	return ATTACH(id, addr, flags, NEXT(shmat)(id, addr, flags));
}

#define DETACH(addr, call)                                                                         \
	({                                                                                         \
		size_t len_ = store_count() ? memory_detaching((uintptr_t)(addr)) : 0;             \
		int ret_ = (int)(call);                                                            \
		if (!ret_ && len_)                                                                 \
			memory_detached((uintptr_t)(addr), len_);                                  \
		ret_;                                                                              \
	})

int shmdt(const void *addr)
{
	return DETACH(addr, NEXT(shmdt)(addr));
}

static int punched(int fd, int mode, off64_t pos, off64_t len, int ret)
{
	if (!ret && mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE))
		memory_punched(fd, pos, len);
	return ret;
}

int fallocate(int fd, int mode, off_t pos, off_t len)
{
	return punched(fd, mode, pos, len, NEXT(fallocate)(fd, mode, pos, len));
}

int fallocate64(int fd, int mode, off64_t pos, off64_t len)
{
	return punched(fd, mode, pos, len, NEXT(fallocate64)(fd, mode, pos, len));
}

#define TRUNCATE(fd, len, call)                                                                    \
	({                                                                                         \
		bool cuts_ = memory_truncating(fd, len);                                           \
		int ret_ = (int)(call);                                                            \
		if (!ret_ && cuts_)                                                                \
			memory_truncated(fd, len);                                                 \
		ret_;                                                                              \
	})

int ftruncate(int fd, off_t len)
{
	return TRUNCATE(fd, len, NEXT(ftruncate)(fd, len));
}

int ftruncate64(int fd, off64_t len)
{
	return TRUNCATE(fd, len, NEXT(ftruncate64)(fd, len));
}

static int name_truncated(const char *path, off64_t len, int ret)
{
	int fd = !ret && store_count() ? sys_open(path, O_PATH | O_CLOEXEC) : -1;

	if (fd >= 0) {
		memory_truncated(fd, len);
		sys_close(fd);
	}
	return ret;
}

int truncate(const char *path, off_t len)
{
	return name_truncated(path, len, NEXT(truncate)(path, len));
}

int truncate64(const char *path, off64_t len)
{
	return name_truncated(path, len, NEXT(truncate64)(path, len));
}

#define CALL BY_NUMBER(nr, a)

static long mmap_by_number(long nr, const long a[6])
{
	int prot = (int)a[2], flags = (int)a[3], fd = (int)a[4];
	bool ours = !(flags & MAP_ANONYMOUS) && fdtab_kind(fd) != FD_NOT_OURS;
	uint64_t start = event_start();
	long ret;

	if (ours && fd_is_mute(fd))
		return result(-refused(fd, prot, flags));
	ret = flags & MAP_FIXED ? TAKING_AWAY((void *)a[0], (size_t)a[1], -1, CALL) : CALL;
	if (ours)
		observe_mapped(fd, (size_t)a[1], prot, a[5], ret == -1 ? -errno : ret, start);
	return ret;
}

bool memory_by_number(long nr, const long a[6], long *ret)
{
	void *addr = (void *)a[0];
	size_t len = (size_t)a[1];

	switch (nr) {
	case SYS_mmap:
		*ret = mmap_by_number(nr, a);
		return true;
	case SYS_munmap:
		*ret = TAKING_AWAY(addr, len, -1, CALL);
		return true;
	case SYS_mremap:
		*ret = (long)REMAP(addr, len, (size_t)a[2], (int)a[3], (void *)a[4], (void *)CALL);
		return true;
	case SYS_madvise:
		*ret = advised(addr, len, (int)a[2], (int)CALL);
		return true;
	case SYS_remap_file_pages:
		*ret = TAKING_AWAY(addr, len, -1, CALL);
		return true;
	case SYS_shmat:
		*ret = (long)ATTACH((int)a[0], (void *)a[1], (int)a[2], (void *)CALL);
		return true;
	case SYS_shmdt:
		*ret = DETACH(addr, CALL);
		return true;
	case SYS_fallocate:
		*ret = punched((int)a[0], (int)a[1], a[2], a[3], (int)CALL);
		return true;
	case SYS_ftruncate:
		*ret = TRUNCATE((int)a[0], a[1], CALL);
		return true;
	case SYS_truncate:
		*ret = name_truncated((const char *)a[0], a[1], (int)CALL);
		return true;
	default:
		return false;
	}
}
