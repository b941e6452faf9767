/* SPDX-License-Identifier: MIT */
/*
 * What is trapped in this process: its filters, added as more calls have to be trapped. A
 * filter is never removed. Functions take the lock and return 0 or a negative errno.
 */
#ifndef TRAP_SIGHT_H
#define TRAP_SIGHT_H

#include <stdbool.h>

/* Traps what has to be trapped in each program. */
int sight_first(void);

/*
 * Traps the calls on a descriptor. close() of a pagemap need not be trapped: its entry is a
 * hint (base/fdtab.h), and nobody waits for it.
 */
int sight_descriptor(unsigned int fd, bool closes);

/* The same for a hidden descriptor, and all above it: others of the library's are there. */
int sight_hidden(unsigned int fd);

/* True if sight_descriptor(fd, false) has nothing to do. Takes no lock. */
bool sight_has_descriptor(unsigned int fd);

/* Traps the calls on memory if there are pins. */
int sight_memory(void);

/*
 * The program is about to give up capabilities. Without CAP_SYS_ADMIN or no_new_privs it can
 * add no filter later, so all are added now.
 */
void sight_all(void);

#endif
