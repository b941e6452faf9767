/* SPDX-License-Identifier: MIT */
/*
 * Hidden descriptors: those that the library keeps open for itself in the program's
 * descriptor table.
 *
 * They have high numbers that a program rarely expects, and close on exec. The program
 * does not see them: its close(), dup2() and close_range() must not affect them, and its
 * fstat() and fcntl() return EBADF. fdtab_kind() tells them apart. Needs the lock.
 */
#ifndef BASE_HIDDEN_H
#define BASE_HIDDEN_H

#include "base/fdtab.h"

/* The owner's handle. It is updated when the descriptor has to move. */
struct hidden {
	struct object object;
	_Atomic(int) fd; /* -1: none. Only the log reads it without the lock. */
};

#define HIDDEN_NONE                                                                                \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * Takes over fd: moves it to a high number and closes fd. 0, or a negative errno with fd
 * closed.
 */
int hidden_take(struct hidden *hidden, int fd);

/* Keeps the descriptor in the child of a fork. At most HIDDEN_KEPT handles, which are static. */
#define HIDDEN_KEPT 4
void hidden_keep(struct hidden *hidden);

/*
 * After fdtab_rebuild(): fd was hidden in the process that this one was forked from.
 * Closes it, unless it is kept or the two share a descriptor table.
 */
void hidden_inherited(int fd, bool is_shared);

/* Closes it. Does nothing when there is none. */
void hidden_close(struct hidden *hidden);

/*
 * True while hidden still is the file that was taken. A descriptor that the program
 * closed or replaced by a raw system call is forgotten.
 */
bool hidden_check(struct hidden *hidden);

/*
 * The program is about to put a file of its own under fd: a hidden descriptor there moves
 * away.
 */
void hidden_make_way(int fd);

#endif
