/* SPDX-License-Identifier: MIT */
/*
 * What a process under the library shows of itself to whoever may ptrace it.
 * `noiommu-shim ps` reads it with process_vm_readv(2).
 *
 * The library has an ELF note, in a segment that is mapped with it. Its
 * descriptor is the distance, an int32_t, from itself to the process's struct
 * shim_state. So nobody needs the library's file, which may have been stripped,
 * replaced by another version or left in another mount namespace meanwhile.
 *
 * Each number is true by itself. They change while they are read, so what
 * belongs together may differ by what is done at this moment.
 */
#ifndef SHIM_STATE_H
#define SHIM_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#define STATE_NOTE_NAME "noiommu-shim"
#define STATE_NOTE_TYPE 1

#define STATE_MAGIC   "noiommu"
#define STATE_VERSION 1 /* changes when a member moves; new ones come at the end */

enum state_mode { STATE_MODE_AUTO, STATE_MODE_CDEV, STATE_MODE_GROUP };

enum state_path {
	STATE_PATH_NONE, /* the program did not ask for any yet */
	STATE_PATH_CDEV,
	STATE_PATH_GROUP, /* the kernel's own, as it is */
	STATE_PATH_REFUSED,
};

enum state_backend {
	STATE_BACKEND_IOMMUFD, /* or nothing pins */
	STATE_BACKEND_URING,
};

enum state_page { STATE_PAGE_4K, STATE_PAGE_2M, STATE_PAGE_1G, STATE_PAGE_SIZES };

/* All zero, magic too, until the library's constructor has run. */
struct shim_state {
	char magic[8];
	uint32_t version;
	uint32_t size; /* of this structure, in bytes */
	_Atomic(uint32_t) mode;
	_Atomic(uint32_t) path;
	_Atomic(uint32_t) containers; /* open files; duplicates are not counted */
	_Atomic(uint32_t) backend;
	uint64_t counts; /* where its struct shim_counts is */
};

/* In memory that reads as zeroes in a child after fork(): a child has no pins. */
struct shim_counts {
	_Atomic(uint64_t) lookups;  /* reads of its pagemap that were answered */
	_Atomic(uint64_t) failures; /* those that failed, as their pages could not be pinned */
	_Atomic(uint64_t) pins;	    /* stretches of memory that were pinned at once */
	_Atomic(uint64_t) pages[STATE_PAGE_SIZES]; /* pinned ones, by their size */
};

#endif
