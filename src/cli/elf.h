/* SPDX-License-Identifier: MIT */
/* What an ELF file says about how it is loaded. */
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
	bool calls_kernel;  /* it makes a driver's system calls (ioctl and such) itself */
	enum elf_libc libc; /* what the interpreter or, in a library, DT_NEEDED says */
};

/*
 * Returns 0 or a negative errno: -ENOEXEC if the file is not an ELF file or is
 * damaged, -EIO if it changes or its disk fails while it is read.
 */
int elf_read(const char *path, struct elf *elf);

/* Opens a regular file for reading, and no other: to open a device or a FIFO has effects. */
int elf_open(const char *path);

const char *elf_libc_name(enum elf_libc libc);

#endif
