/* SPDX-License-Identifier: MIT */
/*
 * The image that serves a program from inside: the same sources as the library, linked
 * without libc for one address. A helper maps it at the stop behind exec(), fills in
 * struct image_boot and starts it; it starts the program.
 *
 * It begins with struct image_head. What is up to text_size is never written.
 */
#ifndef TRAP_IMAGE_H
#define TRAP_IMAGE_H

#include <stdint.h>

#include "trap/registers.h"

/* Where nothing else is: between the programs' addresses and the C library's. */
#define IMAGE_BASE 0x3a0000000000

#define IMAGE_MAGIC UINT64_C(0x70617274756d6d69)

struct image_head {
	uint64_t magic;
	uint64_t text_size;   /* in bytes, whole pages; the data follows */
	uint64_t data_size;   /* of which there are bytes in the file */
	uint64_t memory_size; /* of the data, with what begins as zeroes; whole pages */
	uint64_t start;	      /* addresses */
	uint64_t boot;
};

/* Where the image comes from. */
struct image_origin {
	int32_t helper;	 /* a child, which ends when the program starts */
	int32_t filters; /* of ours that came along by exec() */
	int32_t ignored; /* the program ignored SIGSYS before its exec() */
};

struct image_boot {
	struct registers program; /* as the kernel starts it */
	struct image_origin origin;
};

#endif
