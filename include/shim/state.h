/* SPDX-License-Identifier: MIT */
/*
 * The state that a process with the library shows to others. `noiommu-shim ps` reads it
 * with process_vm_readv(2), which needs the right to ptrace the process.
 *
 * The library has an ELF note in a segment that is mapped with it. The note's descriptor
 * is an int32_t, the distance from itself to the process's struct shim_state. A reader
 * therefore does not need the library's file, which may have been stripped, replaced by
 * another version or left in another mount namespace. In a process whose system calls are
 * trapped, the note is behind the head of the image (src/trap/image.h).
 *
 * Each number is valid by itself. The numbers change while they are read, so two of them
 * can disagree by what is in progress.
 *
 * tests/abi has the reader of each release since which the version has stayed.
 */
#ifndef SHIM_STATE_H
#define SHIM_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#define STATE_NOTE_NAME "noiommu-shim"
#define STATE_NOTE_TYPE 1

#define STATE_MAGIC   "noiommu"
#define STATE_VERSION 1 /* changes when a member moves; new members go to the end */

enum state_mode { STATE_MODE_AUTO, STATE_MODE_CDEV, STATE_MODE_GROUP };

enum state_path {
	STATE_PATH_NONE, /* the program has not asked for one yet */
	STATE_PATH_CDEV,
	STATE_PATH_GROUP, /* the kernel's own */
	STATE_PATH_REFUSED,
};

enum state_backend {
	STATE_BACKEND_IOMMUFD, /* or none */
	STATE_BACKEND_URING,
};

/* Base pages and the two sizes above them: of these names, if base pages have 4 KiB. */
enum state_page { STATE_PAGE_4K, STATE_PAGE_2M, STATE_PAGE_1G, STATE_PAGE_SIZES };

/* All zeroes, including magic, until the library's constructor has run. */
struct shim_state {
	char magic[8];
	uint32_t version;
	uint32_t size; /* of this structure, in bytes */
	_Atomic(uint32_t) mode;
	_Atomic(uint32_t) path;
	_Atomic(uint32_t) containers; /* open files; duplicates are not counted */
	_Atomic(uint32_t) backend;
	uint64_t counts; /* address of its struct shim_counts */
};

/* In memory that fork() wipes: a child has no pins. */
struct shim_counts {
	_Atomic(uint64_t) lookups;  /* reads of its pagemap that succeeded */
	_Atomic(uint64_t) failures; /* those that failed because a page could not be pinned */
	_Atomic(uint64_t) pins;	    /* ranges that were pinned by one map */
	_Atomic(uint64_t) pages[STATE_PAGE_SIZES]; /* pages that were pinned, by size */
};

#endif
