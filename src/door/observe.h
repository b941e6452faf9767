/* SPDX-License-Identifier: MIT */
/*
 * What the driver did and was answered, for a trace: one event for each VFIO
 * operation, on the cdev path as on the kernel's own group path. Of the
 * latter's descriptors the fd table knows only because of this here.
 *
 * start is event_start()'s from before the call, ret its value or a negative
 * errno. The functions take the lock themselves unless they say otherwise and
 * do nothing while nobody looks.
 */
#ifndef DOOR_OBSERVE_H
#define DOOR_OBSERVE_H

#include "base/event.h"
#include "base/fdtab.h"

/* What the object of a descriptor is, NULL included. Needs the lock. */
enum trace_object observe_what(const struct object *object);

/* fd came by exec() or SCM_RIGHTS and is none of ours: it can be the kernel's. Needs the lock. */
void observe_arrived(int fd);

void observe_opened(const char *path, int flags, int ret, uint64_t start);
void observe_closed(int fd, enum trace_object what, int ret, uint64_t start);
void observe_ioctl(int fd, unsigned int cmd, unsigned long arg, long ret, uint64_t start);

/* read() or write() and kin on a device, pos -1: at its own position. */
void observe_transfer(enum trace_kind kind, int fd, const void *buf, size_t len, off_t pos,
		      ssize_t ret, uint64_t start);

/* mmap() of a device; ret is the address. */
void observe_mapped(int fd, size_t len, int prot, off_t pos, intptr_t ret, uint64_t start);

/* Memory of which an address was told is given back. */
void observe_released(uintptr_t addr, size_t len, uint64_t start);

#endif
