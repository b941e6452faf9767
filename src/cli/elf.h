/* SPDX-License-Identifier: MIT */
/* What an ELF file tells about how it will be loaded. */
#ifndef CLI_ELF_H
#define CLI_ELF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum elf_libc { ELF_LIBC_UNKNOWN, ELF_LIBC_GLIBC, ELF_LIBC_MUSL };

struct elf {
	unsigned int bits; /* 32 or 64 */
	uint16_t machine;  /* EM_... */
	bool foreign;	   /* of another word size or byte order: nothing below is filled in */
	char interpreter[PATH_MAX]; /* the dynamic linker; "": none, it is static */
	bool is_linker;		    /* it is a dynamic linker itself */
	bool is_go;
	bool calls_kernel;  /* it has system calls of its own that drivers make: ioctl and such */
	enum elf_libc libc; /* what the interpreter or, in a library, DT_NEEDED says */
};

/*
 * 0, or a negative errno: -ENOEXEC for what is no ELF file, or a damaged one;
 * -EIO for one that changes, or whose disk fails, while it is read.
 */
int elf_read(const char *path, struct elf *elf);

/* open() for reading, of regular files only: opening a device or a FIFO does something to it. */
int elf_open(const char *path);

const char *elf_libc_name(enum elf_libc libc);

#endif
