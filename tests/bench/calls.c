/* SPDX-License-Identifier: MIT */
/*
 * calls [PINS]
 *
 * Calls that have nothing to do with VFIO, CALLS times each, in a function for
 * each kind: to be run in callgrind, which counts the instructions of each
 * measured_ function, with and without the library. Before, PINS pages of
 * which no two are neighbours are looked up, so that as many pins are alive.
 *
 * Exit status 1, with a message: a call did not do what it should have.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_STOP_INSTRUMENTATION	(void)0
#endif

#define CALLS	1000
#define PAGE	4096UL
#define ENTRIES 16384 /* of pagemap, in one read */

#define MEASURED(name, call)                                                                       \
	__attribute__((noinline)) static void measured_##name(int fd, FILE *stream, char *buf)     \
	{                                                                                          \
		(void)fd, (void)stream, (void)buf;                                                 \
		for (int i = 0; i < CALLS; i++)                                                    \
			if (!(call))                                                               \
				err(1, #name);                                                     \
	}

static struct stat st;
static void *mapped;
static int opened;

MEASURED(read, read(fd, buf, 1) == 1)
MEASURED(pread, pread(fd, buf, 1, 0) == 1)
MEASURED(lseek, lseek(fd, 0, SEEK_SET) == 0)
MEASURED(ioctl, ioctl(fd, FIOCLEX) == 0)
MEASURED(dup, (opened = dup(fd)) >= 0 && !close(opened))
MEASURED(open, (opened = open("/etc/passwd", O_RDONLY)) >= 0 && !close(opened))
MEASURED(openat,
	 (opened = openat(AT_FDCWD, "/usr/lib/os-release", O_RDONLY)) >= 0 && !close(opened))
MEASURED(enoent, open("/usr/lib/no-such-file", O_RDONLY) < 0)
MEASURED(mmap,
	 (mapped = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED &&
		 !munmap(mapped, PAGE))
MEASURED(fread, fread(buf, 1, 1, stream) == 1)
MEASURED(getc, getc(stream) != EOF)
MEASURED(stat, !stat("/dev/zero", &st))
MEASURED(fstat, !fstat(fd, &st))
MEASURED(access, !access("/dev/zero", R_OK))
MEASURED(write, write(opened, buf, 1) == 1)

/* Every other page of a range is there. */
static void pin(size_t pages)
{
	size_t len = 2 * pages * PAGE;
	char *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	static uint64_t entries[ENTRIES];
	size_t found = 0;

	if (memory == MAP_FAILED || fd < 0 || madvise(memory, len, MADV_NOHUGEPAGE))
		err(1, "memory to pin");
	for (size_t i = 0; i < pages; i++)
		memory[2 * i * PAGE] = 1;
	for (size_t i = 0; i < 2 * pages; i += ENTRIES) {
		size_t n = 2 * pages - i < ENTRIES ? 2 * pages - i : ENTRIES;
		off_t pos = (off_t)(((uintptr_t)memory / PAGE + i) * sizeof(*entries));

		if (pread(fd, entries, n * sizeof(*entries), pos) !=
		    (ssize_t)(n * sizeof(*entries)))
			err(1, "pagemap");
		for (size_t j = 0; j < n; j++)
			found += entries[j] >> 63;
	}
	if (found != pages)
		errx(1, "%zu of %zu pages are present", found, pages);
	close(fd);
}

int main(int argc, char **argv)
{
	int fd = open("/dev/zero", O_RDONLY);
	FILE *stream = fopen("/dev/zero", "r");
	static char buf[PAGE];

	if (fd < 0 || !stream || dup2(open("/dev/null", O_WRONLY), 9) != 9)
		err(1, "/dev/zero");
	if (argc > 1 && atol(argv[1]) > 0)
		pin((size_t)atol(argv[1]));
	getc(stream);
	CALLGRIND_START_INSTRUMENTATION;
	measured_read(fd, stream, buf);
	measured_pread(fd, stream, buf);
	measured_lseek(fd, stream, buf);
	measured_ioctl(fd, stream, buf);
	measured_dup(fd, stream, buf);
	measured_open(fd, stream, buf);
	measured_openat(fd, stream, buf);
	measured_enoent(fd, stream, buf);
	measured_mmap(fd, stream, buf);
	measured_fread(fd, stream, buf);
	measured_getc(fd, stream, buf);
	measured_stat(fd, stream, buf);
	measured_fstat(fd, stream, buf);
	measured_access(fd, stream, buf);
	opened = 9;
	measured_write(fd, stream, buf);
	CALLGRIND_STOP_INSTRUMENTATION;
	return 0;
}
