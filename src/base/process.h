/* SPDX-License-Identifier: MIT */
/* Which process this is, across fork() and vfork(). */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Zeroed memory that reads as zeroes again in the child of a fork(), however
 * that was made. NULL when there is none. Never given back.
 */
void *process_memory(size_t len);

/*
 * Counts the forks above this process: a value kept from before a fork tells
 * the child that it is not the process that took it.
 */
unsigned int process_generation(void);

/* The process that this one is forked from, which may be gone; 0: none. */
pid_t process_before_fork(void);

/*
 * False when this process has other descriptors than the one that it is forked
 * from: clone() can leave them one table.
 */
bool process_may_share_files(void);

/*
 * A duplicate of what stands under fd in another process, or a negative errno. The
 * kernel asks for the right to trace it.
 */
int process_take_fd(pid_t pid, int fd);

/* True in the child of a vfork(), which runs in its parent's memory. */
bool process_is_guest(void);

#endif
