/* SPDX-License-Identifier: MIT */
/* Reads directories without libc's streams. Needs the lock. Async-signal-safe with it. */
#ifndef BASE_DIR_H
#define BASE_DIR_H

/*
 * Calls what() with each name in the directory until it returns non-zero, and returns
 * that value. Returns 0 if what() never did, or a negative errno if the directory cannot
 * be read.
 */
int dir_each(const char *path, int what(const char *name, void *arg), void *arg);

/*
 * The same for the directory open under fd, which is closed. Returns fd if it is a
 * negative errno.
 */
int dir_each_in(int fd, int what(const char *name, void *arg), void *arg);

/* The same with the caller's buffer, which is too large for the stack. Needs no lock. */
struct dir_buffer {
	_Alignas(8) char bytes[2048];
};
int dir_each_with(struct dir_buffer *buffer, int fd, int what(const char *name, void *arg),
		  void *arg);

#endif
