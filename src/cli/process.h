/* SPDX-License-Identifier: MIT */
/*
 * The state of served processes, read from their memory as include/shim/state.h
 * describes. The process does not notice.
 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shim/state.h"

struct process {
	pid_t pid;
	char comm[32];
	struct shim_state state;
	struct shim_counts counts;
};

/*
 * Returns 1 and fills in *process if the process is served, 0 if it is not, or not
 * yet. -ESRCH: there is no such process; -EPERM, -EACCES: this command may not
 * ptrace it; -EPROTO: it has another version of the library.
 *
 * A hostile process can make this wait for ever: see cli/inspect.h.
 */
int process_read(pid_t pid, struct process *process);

/* The shift of the pages that pages[size] of struct shim_counts counts. */
unsigned int process_page_shift(int size);

/* The bytes that it has pinned. */
uint64_t process_pinned(const struct process *process);

/* The name of a process, with printable characters only; "" if it has ended. */
void process_comm(pid_t pid, char *comm, size_t size);

/* Returns all processes; the caller frees the list. NULL if /proc cannot be read. */
pid_t *process_list(size_t *count);

#endif
