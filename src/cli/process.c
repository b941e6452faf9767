/* SPDX-License-Identifier: MIT */
#include "cli/process.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/page.h"
#include "cli/cli.h"
#include "cli/library.h"
#include "trap/image.h"

/* Copies from the memory of a process. 0 or a negative errno. */
static int peek(pid_t pid, uint64_t address, void *to, size_t size)
{
	struct iovec local = {to, size};
	struct iovec remote = {(void *)(uintptr_t)address, size};
	ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? 0 : -EFAULT;
}

/*
 * The image has no name in maps, and a program may have memory of its own at that address.
 * True also where it cannot be read.
 */
static bool may_be_image(pid_t pid, uint64_t start)
{
	uint64_t magic;

	return start == IMAGE_BASE &&
	       (peek(pid, start, &magic, sizeof(magic)) || magic == IMAGE_MAGIC);
}

/*
 * Finds the address of the library, or of the image that serves by traps. 1, 0 if neither is
 * mapped, or a negative errno.
 */
static int find_library(pid_t pid, uint64_t *base)
{
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *maps;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!found && getline(&line, &size, maps) > 0) {
		unsigned long start, offset;

		if (sscanf(line, "%lx-%*x %*s %lx", &start, &offset) != 2 || offset)
			continue;
		/* " (deleted)" follows the name of a file that was replaced meanwhile. */
		if (may_be_image(pid, start) || strstr(line, "/" LIBRARY_NAME)) {
			*base = start;
			found = 1;
		}
	}
	/* The kernel checks the right to read maps at read(), too. */
	if (!found && ferror(maps))
		found = -errno;
	free(line);
	fclose(maps);
	return found;
}

static size_t padded(uint32_t size)
{
	return ((size_t)size + 3) & ~(size_t)3;
}

/* The address that the library's note refers to, or 0. notes is a copy from address. */
static uint64_t follow_note(const char *notes, size_t size, uint64_t address)
{
	size_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *note = (const Elf64_Nhdr *)(notes + at);
		size_t name = at + sizeof(*note);
		size_t descriptor = name + padded(note->n_namesz);
		int32_t distance;

		at = descriptor + padded(note->n_descsz);
		if (at > size)
			break;
		if (note->n_type != STATE_NOTE_TYPE || note->n_namesz != sizeof(STATE_NOTE_NAME) ||
		    memcmp(notes + name, STATE_NOTE_NAME, sizeof(STATE_NOTE_NAME)) ||
		    note->n_descsz != sizeof(distance))
			continue;
		memcpy(&distance, notes + descriptor, sizeof(distance));
		return address + descriptor + (uint64_t)distance;
	}
	return 0;
}

/* Finds the address of struct shim_state by a note in the range. 0 or a negative errno. */
static int find_in_notes(pid_t pid, uint64_t address, size_t size, uint64_t *state)
{
	_Alignas(Elf64_Nhdr) char notes[1024];
	int ret;

	if (size > sizeof(notes))
		size = sizeof(notes);
	ret = peek(pid, address, notes, size);
	if (ret)
		return ret;
	*state = follow_note(notes, size, address);
	return *state ? 0 : -EPROTO;
}

/* The same in the library at base. */
static int find_in_library(pid_t pid, uint64_t base, uint64_t *state)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	int ret = peek(pid, base, &header, sizeof(header));

	if (ret)
		return ret;
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64)
		return -EPROTO;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		ret = peek(pid, base + header.e_phoff + i * sizeof(segment), &segment,
			   sizeof(segment));
		if (ret)
			return ret;
		if (segment.p_type != PT_NOTE)
			continue;
		ret = find_in_notes(pid, base + segment.p_vaddr, segment.p_memsz, state);
		if (ret != -EPROTO)
			return ret;
	}
	return -EPROTO;
}

/* The same in the image. */
static int find_in_image(pid_t pid, uint64_t *state)
{
	struct image_head head;
	int ret = peek(pid, IMAGE_BASE, &head, sizeof(head));

	if (ret || head.magic != IMAGE_MAGIC)
		return ret ? ret : -EPROTO;
	return find_in_notes(pid, IMAGE_BASE + sizeof(head), head.text_size - sizeof(head), state);
}

int process_read(pid_t pid, struct process *process)
{
	struct shim_state *state = &process->state;
	uint64_t base = 0, address;
	int ret = find_library(pid, &base);

	if (ret <= 0)
		return ret;
	ret = base == IMAGE_BASE ? find_in_image(pid, &address)
				 : find_in_library(pid, base, &address);
	if (!ret)
		ret = peek(pid, address, state, sizeof(*state));
	if (ret)
		return ret;
	/* The library is mapped, but its constructor has not run yet. */
	if (!state->magic[0])
		return 0;
	if (memcmp(state->magic, STATE_MAGIC, sizeof(state->magic)) ||
	    state->version != STATE_VERSION || state->size < sizeof(*state))
		return -EPROTO;
	ret = peek(pid, state->counts, &process->counts, sizeof(process->counts));
	if (ret)
		return ret;
	process->pid = pid;
	process_comm(pid, process->comm, sizeof(process->comm));
	return 1;
}

unsigned int process_page_shift(int size)
{
	return page_shift() + 9 * (unsigned int)size;
}

uint64_t process_pinned(const struct process *process)
{
	uint64_t bytes = 0;

	for (int i = 0; i < STATE_PAGE_SIZES; i++)
		bytes += process->counts.pages[i] << process_page_shift(i);
	return bytes;
}

void process_comm(pid_t pid, char *comm, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(comm, (int)size, file))
		*comm = '\0';
	comm[strcspn(comm, "\n")] = '\0';
	for (char *c = comm; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '?';
	if (file)
		fclose(file);
}

pid_t *process_list(size_t *count)
{
	struct dirent *entry;
	pid_t *pids = NULL;
	size_t room = 0;
	DIR *dir = opendir("/proc");

	*count = 0;
	if (!dir)
		return NULL;
	while ((entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0)
			continue;
		if (*count == room) {
			room = 2 * room + 256;
			pids = reallocarray(pids, room, sizeof(*pids));
			if (!pids)
				give_up("out of memory");
		}
		pids[(*count)++] = pid;
	}
	closedir(dir);
	return pids;
}
