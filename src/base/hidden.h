/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that the library holds for itself in the host's table.
 *
 * They sit above the numbers that a program expects, close on exec, and to
 * the host they are not there: its close(), dup2() and close_range() must not
 * reach them, its fstat() and fcntl() not find them. fdtab_kind() tells them
 * from others. Needs the lock.
 */
#ifndef BASE_HIDDEN_H
#define BASE_HIDDEN_H

#include "base/fdtab.h"

/* The owner's handle; it follows the descriptor where that has to move. */
struct hidden {
	struct object object;
	_Atomic(int) fd; /* -1: none. Only the log reads it without the lock. */
};

#define HIDDEN_NONE                                                                                \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* Takes fd over: moves it up and closes the low one. 0, or a negative errno with fd closed. */
int hidden_take(struct hidden *hidden, int fd);

/*
 * The file is of use in the child of a fork, too. At most HIDDEN_KEPT are kept so;
 * the handles are static.
 */
#define HIDDEN_KEPT 4
void hidden_keep(struct hidden *hidden);

/*
 * After fdtab_rebuild(): fd was hidden in the process that this one is forked
 * from. What is not kept is closed, unless the two share their descriptors.
 */
void hidden_inherited(int fd, bool is_shared);

/* Closes it. Does nothing when there is none. */
void hidden_close(struct hidden *hidden);

/*
 * True when hidden still is the file that was taken. What a raw system call
 * of the host closed or replaced is forgotten.
 */
bool hidden_check(struct hidden *hidden);

/* The host puts a file of its own under fd: a hidden one there moves away first. */
void hidden_make_way(int fd);

#endif
