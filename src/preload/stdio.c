/* SPDX-License-Identifier: MIT */
/*
 * Streams. libc opens, reads and closes a stream's file by internal calls that no preload
 * sees, and it reads ahead. The stream therefore stays libc's own, with its real
 * descriptor. Entries are corrected when the program takes them out of the stream, and
 * only those pages are pinned, not the ones that were read ahead.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/event.h"
#include "base/fdtab.h"
#include "base/sys.h"
#include "door/fd.h"
#include "door/lookup.h"
#include "door/memory.h"
#include "door/name.h"
#include "door/open.h"
#include "preload/named.h"

/* -1 if the stream has no descriptor. Keeps errno. */
static int descriptor_of(FILE *stream)
{
	int before = errno;
	int fd = fileno_unlocked(stream);

	errno = before;
	return fd;
}

static bool may_be_ours(const char *path, int fd)
{
	return name_may_be_ours(path) || (name_may_lead_to_ours(path) && open_may_be_ours(fd));
}

/* libc opened the path: the descriptor may be a pagemap, or a number that was ours before. */
static FILE *opened(const char *path, const char *mode, FILE *stream)
{
	int fd = stream ? descriptor_of(stream) : -1;
	int ret;

	if (fd < 0)
		return stream;
	if (fdtab_kind(fd) != FD_NOT_OURS)
		fd_replaced(fd);
	if (*mode == 'w')
		memory_emptied(fd);
	if (!path || !may_be_ours(path, fd))
		return stream;
	ret = open_held(path, fd, event_start());
	if (!ret)
		return stream;
	NEXT(fclose)(stream);
	errno = -ret;
	return NULL;
}

/* A stream on the result of the intercepted open(). */
static FILE *our_stream(const char *name, const char *mode)
{
	int flags = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
	int fd = open64(name, flags | (strchr(mode, 'e') ? O_CLOEXEC : 0));
	FILE *stream = fd < 0 ? NULL : fdopen(fd, mode);

	if (fd >= 0 && !stream)
		close(fd);
	return stream;
}

static long answer_stream(const struct named *named, const struct name_paths *paths)
{
	return (long)our_stream(paths->to, (const char *)named->a[1]);
}

static FILE *open_stream(const char *path, const char *mode, __typeof__(fopen) *call)
{
	struct named named = {.call = ANY_CALL(call),
			      .a = {(long)path, (long)mode},
			      .dirfd = AT_FDCWD,
			      .follow = true,
			      .answer = answer_stream};

	return opened(path, mode, (FILE *)named_make(&named));
}

FILE *fopen(const char *path, const char *mode)
{
	return open_stream(path, mode, NEXT(fopen));
}

FILE *fopen64(const char *path, const char *mode)
{
	return open_stream(path, mode, NEXT(fopen64));
}

FILE *_IO_fopen(const char *path, const char *mode)
{
	return open_stream(path, mode, NEXT(_IO_fopen));
}

FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	return opened(path, mode, NEXT(freopen)(path, mode, stream));
}

FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	return opened(path, mode, NEXT(freopen64)(path, mode, stream));
}

static inline int any_fclose(int call(FILE *), FILE *stream)
{
	int fd = descriptor_of(stream);
	bool ours = fd >= 0 && fdtab_kind(fd) != FD_NOT_OURS;
	int ret = call(stream);

	if (ours)
		fd_closed(fd);
	return ret;
}

int fclose(FILE *stream)
{
	return any_fclose(NEXT(fclose), stream);
}

int _IO_fclose(FILE *stream)
{
	return any_fclose(NEXT(_IO_fclose), stream);
}

static inline bool is_pagemap(FILE *stream)
{
	return __builtin_expect(fdtab_kind(descriptor_of(stream)) == FD_PAGEMAP, 0);
}

/*
 * items of size bytes were taken out of the stream at pos. If a page cannot be pinned,
 * the stream returns an error and nothing is read.
 */
__attribute__((noinline)) static size_t taken(FILE *stream, void *buf, size_t size, size_t items,
					      off_t pos)
{
	int ret = items ? lookup_patch(fileno_unlocked(stream), buf, items * size, pos) : 0;

	if (!ret)
		return items;
	fseeko(stream, pos, SEEK_SET);
	errno = -ret;
	return 0;
}

/*
 * The stream's position, or -1 if it has none: the number was a pagemap, and now is a
 * pipe.
 */
__attribute__((noinline)) static off_t position_of_pagemap(FILE *stream)
{
	int before = errno;
	off_t pos = ftello(stream);

	errno = before;
	return pos;
}

/* The position before items are taken, or -1 if the stream is not on a pagemap. */
static inline off_t position(FILE *stream)
{
	return is_pagemap(stream) ? position_of_pagemap(stream) : -1;
}

static inline size_t put_right(FILE *stream, void *buf, size_t size, size_t items, off_t pos)
{
	return __builtin_expect(pos < 0, 1) ? items : taken(stream, buf, size, items, pos);
}

size_t fread(void *buf, size_t size, size_t count, FILE *stream)
{
	off_t pos = position(stream);

	return put_right(stream, buf, size, NEXT(fread)(buf, size, count, stream), pos);
}

size_t _IO_fread(void *buf, size_t size, size_t count, FILE *stream)
{
	off_t pos = position(stream);

	return put_right(stream, buf, size, NEXT(_IO_fread)(buf, size, count, stream), pos);
}

size_t fread_unlocked(void *buf, size_t size, size_t count, FILE *stream)
{
	off_t pos = position(stream);

	return put_right(stream, buf, size, NEXT(fread_unlocked)(buf, size, count, stream), pos);
}

size_t __fread_chk(void *buf, size_t buf_size, size_t size, size_t count, FILE *stream)
{
	off_t pos = position(stream);

	return put_right(stream, buf, size, NEXT(__fread_chk)(buf, buf_size, size, count, stream),
			 pos);
}

size_t __fread_unlocked_chk(void *buf, size_t buf_size, size_t size, size_t count, FILE *stream)
{
	off_t pos = position(stream);

	return put_right(stream, buf, size,
			 NEXT(__fread_unlocked_chk)(buf, buf_size, size, count, stream), pos);
}

__attribute__((noinline)) static int one_of_pagemap(FILE *stream, int next_getc(FILE *))
{
	off_t pos = position_of_pagemap(stream);
	int c = next_getc(stream), ret;
	unsigned char byte = (unsigned char)c;

	if (c == EOF || pos < 0)
		return c;
	ret = lookup_patch(fileno_unlocked(stream), &byte, 1, pos);
	return ret ? (int)result(ret) : byte;
}

static inline int one_taken(FILE *stream, int next_getc(FILE *))
{
	return is_pagemap(stream) ? one_of_pagemap(stream, next_getc) : next_getc(stream);
}

int fgetc(FILE *stream)
{
	return one_taken(stream, NEXT(fgetc));
}

int fgetc_unlocked(FILE *stream)
{
	return one_taken(stream, NEXT(fgetc_unlocked));
}

int getc(FILE *stream)
{
	return one_taken(stream, NEXT(getc));
}

int getc_unlocked(FILE *stream)
{
	return one_taken(stream, NEXT(getc_unlocked));
}

int _IO_getc(FILE *stream)
{
	return one_taken(stream, NEXT(_IO_getc));
}

int getchar(void)
{
	return getc(stdin);
}

int getchar_unlocked(void)
{
	return getc_unlocked(stdin);
}

#ifdef __GLIBC__
/* Corrects all entries that the stream has read ahead. On failure the stream has read nothing. */
static int patch_buffer(FILE *stream)
{
	off_t len = stream->_IO_read_end - stream->_IO_read_base;
	int fd = fileno_unlocked(stream);
	off_t end = sys_lseek(fd, 0, SEEK_CUR);
	off_t pos = end - len;
	int ret = end < 0 ? 0 : lookup_patch(fd, stream->_IO_read_base, (size_t)len, pos);

	if (ret) {
		sys_lseek(fd, pos, SEEK_SET);
		stream->_IO_read_ptr = stream->_IO_read_end = stream->_IO_read_base;
		stream->_offset = -1;
	}
	return ret;
}

/*
 * An inlined getc_unlocked() calls this when its buffer is empty. It takes the following
 * bytes from the buffer unseen.
 */
int __uflow(FILE *stream)
{
	int c = NEXT(__uflow)(stream);
	int ret;

	if (c == EOF || !is_pagemap(stream))
		return c;
	ret = patch_buffer(stream);
	return ret ? (int)result(ret) : (unsigned char)stream->_IO_read_ptr[-1];
}
#else
/* musl does not inline it. */
int __uflow(FILE *stream)
{
	return NEXT(__uflow)(stream);
}
#endif

int getw(FILE *stream)
{
	int word;

	return fread(&word, sizeof(word), 1, stream) == 1 ? word : EOF;
}
