/* SPDX-License-Identifier: MIT */
/*
 * The image serves a program from inside its process: it is the sources of the library and of
 * src/trap, linked without libc for a fixed address. A helper (trap/inject.h) maps it at the
 * stop after exec(), fills in struct image_boot and starts it. The image starts the program.
 *
 * It begins with struct image_head and the note of include/shim/state.h. Its first text_size
 * bytes are never written.
 */
#ifndef TRAP_IMAGE_H
#define TRAP_IMAGE_H

#include <stdint.h>

#include "trap/registers.h"

/* Unused by programs: above those at a fixed address, below ELF_ET_DYN_BASE and libraries. */
#define IMAGE_BASE 0x3a0000000000

#define IMAGE_MAGIC UINT64_C(0x70617274756d6d69)

struct image_head {
	uint64_t magic;
	uint64_t text_size;   /* in bytes, whole pages; the data follow */
	uint64_t data_size;   /* of the data in the file, in bytes */
	uint64_t memory_size; /* of the data in memory, with the zeroed part; whole pages */
	uint64_t start;	      /* address of image_entry() */
	uint64_t boot;	      /* address of struct image_boot */
};

/* What the image takes over from the process that started the helper. */
struct image_origin {
	int32_t helper;	 /* a child, which ends when the program starts; its pid */
	int32_t filters; /* number of the image's filters that exec() kept */
	int32_t ignored; /* the program ignored SIGSYS before its exec() */
	int32_t blocked; /* ... or blocked it */
};

struct image_boot {
	struct registers program; /* with which the kernel starts it */
	struct image_origin origin;
};

#endif
