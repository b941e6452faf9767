/* SPDX-License-Identifier: MIT */
/* Tells processes apart across fork() and vfork(). */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Zeroed memory that the child of a fork() sees zeroed again, however it was made. NULL
 * when there is none. Never freed.
 */
void *process_memory(size_t len);

/*
 * A number that changes with every fork: a value that was stored before the fork tells
 * the child that it is another process.
 */
unsigned int process_generation(void);

/* The process that this one was forked from, which may have ended; 0: none. */
pid_t process_before_fork(void);

/*
 * False when this process does not share its descriptor table with the one that it was
 * forked from. clone() can share it.
 */
bool process_may_share_files(void);

/*
 * A duplicate of another process's descriptor, or a negative errno. Needs the right to
 * ptrace that process.
 */
int process_take_fd(pid_t pid, int fd);

/* True in the child of a vfork(), which runs in its parent's memory. */
bool process_is_guest(void);

#endif
