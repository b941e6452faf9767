/*
 * held.h - memory that stays where it is, on any kernel and without the shim
 *
 * A test that proves DMA right or wrong needs a place that is certainly
 * right: for the answer of the device, and, where a program runs without the
 * shim, for all that the device writes, because a device that writes to an
 * address out of date destroys somebody else's memory.
 *
 * The kernel does not migrate a page to which somebody unknown holds a
 * reference. vmsplice(2) makes a pipe hold one.
 */
#ifndef HELD_H
#define HELD_H

#include <stddef.h>

/*
 * Memory that keeps its physical addresses until the process ends; look them
 * up after this call. NULL on failure, which is said on stderr.
 */
void *held_alloc(size_t size);

#endif
