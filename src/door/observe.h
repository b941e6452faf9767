/* SPDX-License-Identifier: MIT */
/*
 * Trace events of the program's VFIO operations, one for each, on the cdev path and on
 * the kernel's group path. Descriptors of the latter are in the fd table (FD_NATIVE) only
 * for this.
 *
 * start is event_start()'s value from before the call; ret is its value or a negative
 * errno. The functions take the lock unless they say otherwise, and do nothing unless a
 * trace is being written.
 */
#ifndef DOOR_OBSERVE_H
#define DOOR_OBSERVE_H

#include "base/event.h"
#include "base/fdtab.h"

/* The type of an object; object may be NULL. Needs the lock. */
enum trace_object observe_what(const struct object *object);

/*
 * fd was received by exec() or SCM_RIGHTS and is not ours: enters it if it is the
 * kernel's. Needs the lock.
 */
void observe_arrived(int fd);

void observe_opened(const char *path, int flags, int ret, uint64_t start);
void observe_closed(int fd, enum trace_object what, int ret, uint64_t start);
void observe_ioctl(int fd, unsigned int cmd, unsigned long arg, long ret, uint64_t start);

/* read(), write() or the like on a device; pos -1: at the current position. */
void observe_transfer(enum trace_kind kind, int fd, const void *buf, size_t len, off_t pos,
		      ssize_t ret, uint64_t start);

/* mmap() of a device; ret is the address. */
void observe_mapped(int fd, size_t len, int prot, off_t pos, intptr_t ret, uint64_t start);

/* Told memory (door/memory.h) was unmapped, discarded or moved. */
void observe_released(uintptr_t addr, size_t len, uint64_t start);

#endif
