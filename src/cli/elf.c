/* SPDX-License-Identifier: MIT */
#include "cli/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ORDER ELFDATA2LSB
#else
#define OUR_ORDER ELFDATA2MSB
#endif

/* The kernel accepts 64 KiB of program headers: fs/binfmt_elf.c. */
#define MOST_SEGMENTS (65536 / sizeof(Elf64_Phdr))

/* No sound file has more. A damaged file must not take minutes. */
#define MOST_ENTRIES 65536
#define MOST_CODE    (UINT64_C(1) << 28)

struct file {
	const unsigned char *data;
	uint64_t size;
};

/* Every access to the file goes through here, as offsets in the file may be wrong. */
static const void *part(const struct file *file, uint64_t at, uint64_t len)
{
	if (at > file->size || len > file->size - at)
		return NULL;
	return file->data + at;
}

/* The same for structs, which are aligned in a sound file. */
static const void *table(const struct file *file, uint64_t at, uint64_t len, uint64_t align)
{
	return at % align ? NULL : part(file, at, len);
}

/* A string that ends within the file and is no longer than a path. Otherwise "". */
static const char *string(const struct file *file, uint64_t at)
{
	const char *s = part(file, at, 1);
	uint64_t rest = s ? file->size - at : 0;

	return s && memchr(s, '\0', rest < PATH_MAX ? rest : PATH_MAX) ? s : "";
}

static const Elf64_Phdr *segment(const struct file *file, const Elf64_Ehdr *head, unsigned int i)
{
	if (i >= head->e_phnum || head->e_phentsize != sizeof(Elf64_Phdr))
		return NULL;
	return table(file, head->e_phoff + i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr),
		     alignof(Elf64_Phdr));
}

/* The offset of the byte that is loaded at address, or the size of the file. */
static uint64_t offset_of(const struct file *file, const Elf64_Ehdr *head, uint64_t address)
{
	const Elf64_Phdr *ph;

	for (unsigned int i = 0; (ph = segment(file, head, i)); i++)
		if (ph->p_type == PT_LOAD && address >= ph->p_vaddr &&
		    address - ph->p_vaddr < ph->p_filesz)
			return ph->p_offset + (address - ph->p_vaddr);
	return file->size;
}

static enum elf_libc libc_of(const char *soname)
{
	if (!strcmp(soname, "libc.so.6"))
		return ELF_LIBC_GLIBC;
	if (!strcmp(soname, "libc.so") || !strncmp(soname, "libc.musl", 9))
		return ELF_LIBC_MUSL;
	return ELF_LIBC_UNKNOWN;
}

static enum elf_libc libc_of_linker(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	if (!strncmp(base, "ld-linux", 8) || !strncmp(base, "ld64.so", 7) ||
	    !strcmp(base, "ld.so.1"))
		return ELF_LIBC_GLIBC;
	if (!strncmp(base, "ld-musl", 7))
		return ELF_LIBC_MUSL;
	return ELF_LIBC_UNKNOWN;
}

static void read_dynamic(const struct file *file, const Elf64_Ehdr *head, const Elf64_Phdr *ph,
			 struct elf *elf)
{
	uint64_t n = ph->p_filesz / sizeof(Elf64_Dyn);
	const Elf64_Dyn *dyn = table(file, ph->p_offset, ph->p_filesz, alignof(Elf64_Dyn));
	uint64_t strings = file->size;

	if (!dyn)
		return;
	if (n > MOST_ENTRIES)
		n = MOST_ENTRIES;
	for (uint64_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++)
		if (dyn[i].d_tag == DT_STRTAB)
			strings = offset_of(file, head, dyn[i].d_un.d_ptr);
	for (uint64_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++) {
		const char *name = string(file, strings + dyn[i].d_un.d_val);

		if (dyn[i].d_tag == DT_SONAME)
			elf->is_linker = libc_of_linker(name) != ELF_LIBC_UNKNOWN;
		else if (dyn[i].d_tag == DT_NEEDED && libc_of(name) != ELF_LIBC_UNKNOWN)
			elf->libc = libc_of(name);
	}
}

/* The first note of a Go program is its build ID, with the owner "Go". */
static bool is_go_note(const struct file *file, const Elf64_Phdr *ph)
{
	const Elf64_Nhdr *note = table(file, ph->p_offset, sizeof(*note) + 4, alignof(Elf64_Nhdr));

	return note && note->n_namesz == 4 && !memcmp(note + 1, "Go\0", 4);
}

static bool has_go_section(const struct file *file, const Elf64_Ehdr *head)
{
	const Elf64_Shdr *sections;

	if (head->e_shentsize != sizeof(*sections) || head->e_shstrndx >= head->e_shnum)
		return false;
	sections =
		table(file, head->e_shoff, head->e_shnum * sizeof(*sections), alignof(Elf64_Shdr));
	for (unsigned int i = 0; sections && i < head->e_shnum; i++) {
		const char *name =
			string(file, sections[head->e_shstrndx].sh_offset + sections[i].sh_name);

		if (!strcmp(name, ".go.buildinfo") || !strcmp(name, ".note.go.buildid"))
			return true;
	}
	return false;
}

/*
 * True if code loads the number of ioctl, openat or pread64 and then makes a system
 * call. Compilers load the number as a constant. Instructions for the arguments may
 * come between the two.
 */
#if defined(__x86_64__)
#define INSTRUCTION   1	 /* bytes, at least */
#define CALL_DISTANCE 24 /* bytes between the two */

static bool is_call(const unsigned char *code, uint64_t size)
{
	uint32_t number;

	if (size < 5 || code[0] != 0xb8) /* mov $number, %eax */
		return false;
	memcpy(&number, code + 1, sizeof(number));
	if (number != SYS_ioctl && number != SYS_openat && number != SYS_pread64)
		return false;
	for (uint64_t at = 5; at < 5 + CALL_DISTANCE && at + 1 < size; at++)
		if (code[at] == 0x0f && code[at + 1] == 0x05) /* syscall */
			return true;
	return false;
}
#elif defined(__aarch64__)
#define INSTRUCTION   4
#define CALL_DISTANCE 24

static bool is_call(const unsigned char *code, uint64_t size)
{
	uint32_t instruction, number;

	if (size < sizeof(instruction))
		return false;
	memcpy(&instruction, code, sizeof(instruction));
	number = instruction >> 5 & 0xffff;
	if ((instruction & 0x7fe0001f) != 0x52800008 || /* mov w8 or x8, #number */
	    (number != SYS_ioctl && number != SYS_openat && number != SYS_pread64))
		return false;
	for (uint64_t at = 4; at <= 4 + CALL_DISTANCE && at + 4 <= size; at += 4) {
		memcpy(&instruction, code + at, sizeof(instruction));
		if (instruction == 0xd4000001) /* svc #0 */
			return true;
	}
	return false;
}
#endif

/* *left is how many more bytes of code may be searched. */
static bool has_call(const struct file *file, const Elf64_Phdr *ph, uint64_t *left)
{
	const unsigned char *code = part(file, ph->p_offset, ph->p_filesz);
	uint64_t size = code && ph->p_filesz < *left ? ph->p_filesz : code ? *left : 0;

	*left -= size;
	for (uint64_t at = 0; at < size; at += INSTRUCTION)
		if (is_call(code + at, size - at))
			return true;
	return false;
}

static void read_segments(const struct file *file, const Elf64_Ehdr *head, struct elf *elf)
{
	uint64_t left = MOST_CODE;
	bool has_dynamic = false;
	const Elf64_Phdr *ph;

	for (unsigned int i = 0; (ph = segment(file, head, i)); i++) {
		if (ph->p_type == PT_DYNAMIC && !has_dynamic) {
			read_dynamic(file, head, ph, elf);
			has_dynamic = true;
		} else if (ph->p_type == PT_INTERP) {
			snprintf(elf->interpreter, sizeof(elf->interpreter), "%s",
				 string(file, ph->p_offset));
		} else if (ph->p_type == PT_NOTE) {
			elf->is_go |= is_go_note(file, ph);
		} else if (ph->p_type == PT_LOAD && ph->p_flags & PF_X) {
			elf->calls_kernel |= has_call(file, ph, &left);
		}
	}
}

static int read_file(const struct file *file, struct elf *elf)
{
	const Elf64_Ehdr *head = part(file, 0, sizeof(Elf32_Ehdr));

	if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG))
		return -ENOEXEC;
	/* Up to here the headers of both word sizes are the same. */
	elf->bits = head->e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64;
	elf->machine = head->e_machine;
	elf->foreign = elf->bits != 64 || head->e_ident[EI_DATA] != OUR_ORDER;
	if (elf->foreign)
		return 0;
	if (!part(file, 0, sizeof(*head)) || head->e_phnum > MOST_SEGMENTS ||
	    !part(file, head->e_phoff, (uint64_t)head->e_phnum * sizeof(Elf64_Phdr)))
		return -ENOEXEC;
	elf->is_go = has_go_section(file, head);
	read_segments(file, head, elf);
	if (elf->interpreter[0])
		elf->libc = libc_of_linker(elf->interpreter);
	return 0;
}

/* Access to a part of a mapped file that is gone, or cannot be read, raises SIGBUS. */
static sigjmp_buf file_is_gone;

static void on_sigbus(int sig)
{
	siglongjmp(file_is_gone, sig);
}

static int read_guarded(const struct file *file, struct elf *elf)
{
	const struct sigaction action = {.sa_handler = on_sigbus};
	struct sigaction old;
	volatile int ret = -EIO;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(file_is_gone, true))
		ret = read_file(file, elf);
	sigaction(SIGBUS, &old, NULL);
	return ret;
}

int elf_open(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = ENOEXEC;
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

int elf_read(const char *path, struct elf *elf)
{
	int fd = elf_open(path);
	struct file file;
	struct stat st;
	void *data;
	int ret;

	*elf = (struct elf){.libc = ELF_LIBC_UNKNOWN};
	if (fd < 0 || fstat(fd, &st)) {
		ret = -errno;
		goto out;
	}
	ret = -ENOEXEC;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		goto out;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED) {
		ret = -errno;
		goto out;
	}
	file = (struct file){.data = data, .size = (uint64_t)st.st_size};
	ret = read_guarded(&file, elf);
	munmap(data, (size_t)st.st_size);
out:
	if (fd >= 0)
		close(fd);
	return ret;
}

const char *elf_libc_name(enum elf_libc libc)
{
	static const char *const names[] = {"another libc", "glibc", "musl"};

	return names[libc];
}
