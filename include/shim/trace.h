/* SPDX-License-Identifier: MIT */
/*
 * What the library tells of itself while somebody looks: a ring of events in
 * memory that the command makes and the library maps.
 *
 * The command puts the path of the file with the ring into NOIOMMU_SHIM_TRACE.
 * Any number of processes and threads write, one reads. A writer that finds
 * the ring full drops its event and counts it, so nobody ever waits.
 *
 * Positions count from 0 for ever; position p is in slot p % TRACE_SLOTS. A
 * slot's sequence tells whose turn it is:
 *
 *	p		 free for whoever moves head from p to p + 1
 *	p + 1		 complete, for the reader
 *	p + TRACE_SLOTS	 read, and free for the next round
 *
 * A writer that dies between the first two leaves a slot that never becomes
 * complete. The reader gives it up after a while, by freeing it; and since a
 * writer completes a slot by compare and exchange, one that was only slow then
 * loses its event and harms nobody else's.
 *
 * The file is a memfd whose size is sealed: no program can shorten it under the
 * others, who would get SIGBUS. What is in it any program can overwrite, by
 * mistake or on purpose. So a writer tries a limited number of times, and the
 * reader stops where the numbers contradict each other.
 */
#ifndef SHIM_TRACE_H
#define SHIM_TRACE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#define TRACE_MAGIC   0x656361727473696eU /* read as bytes: "nistrace" */
#define TRACE_VERSION 1
#define TRACE_SLOTS   16384U
#define TRACE_DATA    168

/*
 * A read of more pagemap entries than this (64 MiB of address space) is
 * somebody who looks at the address space, not a driver that looks up a
 * buffer: its entries are not told, and on the cdev path nothing is pinned.
 */
#define TRACE_SCAN_PAGES 16384

/*
 * args, data and result by kind; where nothing is said of result it is 0 or a
 * negative errno. "Nested" events are what an operation became underneath, or
 * what else the library did meanwhile: they come before the operation itself,
 * from the same thread, with a time that is not before the operation's.
 */
enum trace_kind {
	TRACE_OPEN = 1, /* args: flags; data: path; result: descriptor or negative errno */
	TRACE_CLOSE,
	TRACE_IOCTL,   /* args: request, argument; data: what the argument points to, after
			  the call; result: value or negative errno */
	TRACE_READ,    /* of a device: args: length, offset or -1; data: what was read */
	TRACE_WRITE,   /* the same */
	TRACE_MMAP,    /* of a device: args: length, prot, offset; result: address */
	TRACE_LOOKUP,  /* args: virtual address, pages, entries changed, index of the first
			  page in data; data: what was given out, as runs. Many runs take
			  several events, the first of which has index 0 */
	TRACE_RELEASE, /* the program gave memory back: args: virtual address, bytes */
	TRACE_START,   /* a program begins in this process; data: its file */
	/* Always nested: */
	TRACE_PIN,	/* args: virtual address, bytes, bytes of one page,
			   what pins: enum state_backend */
	TRACE_UNPIN,	/* args: virtual address, bytes */
	TRACE_ATTACH,	/* args: 1: the device only lent its page table; data: its name */
	TRACE_FALLBACK, /* the group path is used, or refused: data: why */
	TRACE_FAILURE,	/* the promise cannot be kept: args: virtual address; data: what failed */
};

/*
 * Pagemap entries of pages in a row, of which entry is the first: if it is of
 * a page that is present and shows its frame, the frames are in a row, too;
 * else the entries are alike.
 */
struct trace_run {
	uint64_t entry;
	uint64_t pages;
};

#define TRACE_FRAME   UINT64_C(0x7fffffffffffff)
#define TRACE_PRESENT (UINT64_C(1) << 63)

/* What a descriptor is. */
enum trace_object {
	TRACE_OTHER,
	TRACE_CONTAINER,
	TRACE_GROUP,
	TRACE_DEVICE,
	TRACE_PAGEMAP,
};

struct trace_event {
	_Atomic(uint64_t) sequence;
	uint64_t time; /* when it began, CLOCK_MONOTONIC in ns */
	uint64_t took; /* ns */
	int64_t result;
	uint64_t args[4];
	int32_t pid;
	int32_t tid;
	int32_t fd;
	uint16_t length; /* of data that is used */
	uint8_t kind;
	uint8_t object; /* what fd is */
	uint8_t nested; /* OPEN and IOCTL: the library's own */
	uint8_t unused[7];
	uint8_t data[TRACE_DATA];
};

struct trace_ring {
	uint64_t magic;
	uint32_t version;
	uint32_t slots;
	_Alignas(64) _Atomic(uint64_t) head; /* the next position to be taken by a writer */
	_Alignas(64) _Atomic(uint64_t) lost; /* events that found no room */
	_Alignas(64) struct trace_event events[TRACE_SLOTS];
};

static_assert(sizeof(struct trace_event) == 256, "events are four cache lines");

#endif
