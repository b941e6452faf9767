/*
 * held.h - memory that stays where it is, on any kernel and without the shim
 *
 * A test of DMA needs memory whose address is certainly right: for the answer of
 * the device and, in a run without the shim, for everything that the device
 * writes, as a device that writes to a stale address destroys other memory.
 *
 * The kernel does not migrate a page that has an unexpected reference.
 * vmsplice(2) makes a pipe hold one.
 */
#ifndef HELD_H
#define HELD_H

#include <stddef.h>

/*
 * Returns memory that keeps its physical addresses until the process ends. The
 * addresses are to be looked up after this call. NULL on failure, with a message
 * on stderr.
 */
void *held_alloc(size_t size);

#endif
