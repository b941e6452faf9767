/* SPDX-License-Identifier: MIT */
/* Directories, without libc's streams. Needs the lock. Async-signal-safe with it. */
#ifndef BASE_DIR_H
#define BASE_DIR_H

/*
 * Calls what() with each name in the directory until it returns non-zero,
 * which is then the result. 0 when none did, or a negative errno when the
 * directory could not be read.
 */
int dir_each(const char *path, int what(const char *name, void *arg), void *arg);

/* The same with the directory under fd, which is closed; a negative errno in fd is returned. */
int dir_each_in(int fd, int what(const char *name, void *arg), void *arg);

/* The same with a buffer of the caller's, which is too large for the stack: needs no lock. */
struct dir_buffer {
	_Alignas(8) char bytes[2048];
};
int dir_each_with(struct dir_buffer *buffer, int fd, int what(const char *name, void *arg),
		  void *arg);

#endif
