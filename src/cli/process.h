/* SPDX-License-Identifier: MIT */
/*
 * Processes that run under the library, read from their own memory: what
 * include/shim/state.h describes. The process does not notice.
 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "shim/state.h"

struct process {
	pid_t pid;
	char comm[32];
	struct shim_state state;
	struct shim_counts counts;
};

/*
 * 1: it is under the library, and *process is filled in; 0: it is not, or not
 * yet. -ESRCH: there is none; -EPERM, -EACCES: who may not ptrace it may not
 * look; -EPROTO: the library in it is of another version.
 *
 * A hostile process can make this wait for ever: see cli/inspect.h.
 */
int process_read(pid_t pid, struct process *process);

/* The name of a process, of printable characters only. "": it has ended. */
void process_comm(pid_t pid, char *comm, size_t size);

/* All processes there are, the caller's to free. NULL when /proc cannot be read. */
pid_t *process_list(size_t *count);

#endif
