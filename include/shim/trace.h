/* SPDX-License-Identifier: MIT */
/*
 * The trace: a ring of events in memory that the command creates and the library maps.
 *
 * The command puts the path of the ring's file into NOIOMMU_SHIM_TRACE. Any number of
 * processes and threads write, one process reads. A writer that finds the ring full drops
 * its event and counts it, so that no writer ever waits.
 *
 * Positions count up from 0 and never wrap; position p is in slot p % TRACE_SLOTS. A
 * slot's sequence says who may use it:
 *
 *	p		 free: the writer that moves head from p to p + 1
 *	p + 1		 complete: the reader
 *	p + TRACE_SLOTS	 read: free for the next round
 *
 * A writer that dies between the first two leaves a slot that never becomes complete. The
 * reader frees such a slot after a while. A writer completes a slot by compare and
 * exchange, so one that was only slow loses its event and damages no other.
 *
 * The file is a memfd whose size is sealed: no program can shrink it, which would give
 * the others SIGBUS. A program can overwrite its contents, by mistake or on purpose.
 * Therefore a writer makes a limited number of attempts, and the reader stops where the
 * numbers contradict each other.
 *
 * The version changes when a member or a value moves; new values go to the end.
 * tests/abi has the reader of each release since which the version has stayed.
 */
#ifndef SHIM_TRACE_H
#define SHIM_TRACE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#define TRACE_MAGIC   0x656361727473696eU /* the bytes "nistrace" */
#define TRACE_VERSION 1
#define TRACE_SLOTS   16384U
#define TRACE_DATA    168

/*
 * A read of more pagemap entries than this (64 MiB of address space, if base pages have 4 KiB) is a
 * scan of the address space rather than the lookup of a buffer by a driver. Its entries are not
 * recorded, and on the cdev path it pins nothing.
 */
#define TRACE_SCAN_PAGES 16384

/*
 * args, data and result by kind; result is 0 or a negative errno unless noted. "Nested"
 * events are what the library did during an operation. They precede the event of the
 * operation, from the same thread, and their time is not before its time.
 */
enum trace_kind {
	TRACE_OPEN = 1, /* args: flags; data: path; result: descriptor or negative errno */
	TRACE_CLOSE,
	TRACE_IOCTL,   /* args: request, argument; data: what the argument points to, after
			  the call; result: value or negative errno */
	TRACE_READ,    /* of a device: args: length, offset or -1; data: what was read */
	TRACE_WRITE,   /* the same */
	TRACE_MMAP,    /* of a device: args: length, prot, offset; result: address */
	TRACE_LOOKUP,  /* args: virtual address, pages, changed entries, index of the first
			  page in data; data: the entries returned, as runs. Many runs take
			  several events, the first with index 0 */
	TRACE_RELEASE, /* the program gave memory back: args: virtual address, bytes */
	TRACE_START,   /* a program begins in this process; data: its file */
	/* Always nested: */
	TRACE_PIN,	/* args: virtual address, bytes, bytes of one page,
			   what pins: enum state_backend */
	TRACE_UNPIN,	/* args: virtual address, bytes */
	TRACE_ATTACH,	/* args: 1: the device only lent its page table; data: its name */
	TRACE_FALLBACK, /* the group path is used, or refused: data: why */
	TRACE_FAILURE,	/* memory cannot be kept pinned: args: virtual address; data: what failed */
	TRACE_RENEW,	/* all that was pinned is pinned by something else from now on: args:
			   pins, 0, 0, what pins: enum state_backend */
};

/*
 * A run of pagemap entries of consecutive pages, of which entry is the first. If it is
 * present and shows its frame, the frames are consecutive as well; otherwise all entries
 * are equal.
 */
struct trace_run {
	uint64_t entry;
	uint64_t pages;
};

#define TRACE_FRAME   UINT64_C(0x7fffffffffffff)
#define TRACE_PRESENT (UINT64_C(1) << 63)

/* The type of a descriptor. */
enum trace_object {
	TRACE_OTHER,
	TRACE_CONTAINER,
	TRACE_GROUP,
	TRACE_DEVICE,
	TRACE_PAGEMAP,
};

struct trace_event {
	_Atomic(uint64_t) sequence;
	uint64_t time; /* start, CLOCK_MONOTONIC in ns */
	uint64_t took; /* ns */
	int64_t result;
	uint64_t args[4];
	int32_t pid;
	int32_t tid;
	int32_t fd;
	uint16_t length; /* bytes used in data */
	uint8_t kind;
	uint8_t object; /* enum trace_object of fd */
	uint8_t nested; /* OPEN and IOCTL: a call of the library's own */
	uint8_t unused[7];
	uint8_t data[TRACE_DATA];
};

struct trace_ring {
	uint64_t magic;
	uint32_t version;
	uint32_t slots;
	_Alignas(64) _Atomic(uint64_t) head; /* the next position to be claimed by a writer */
	_Alignas(64) _Atomic(uint64_t) lost; /* events that were dropped */
	_Alignas(64) struct trace_event events[TRACE_SLOTS];
};

static_assert(sizeof(struct trace_event) == 256, "events are four cache lines");

#endif
