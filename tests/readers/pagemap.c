/*
 * pagemap - the ways by which C programs read their pagemap
 *
 * What it prints and waits for: see tests/vm/guest/observe. To be built plain
 * and with _FORTIFY_SOURCE, which puts other functions of libc in place of
 * these: of sizes that only the run knows, it checks that they fit.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGES	  16
#define PAGE	  4096UL
#define UNTOUCHED 5
#define ENTRY	  sizeof(uint64_t)

static const char *path = "/proc/self/pagemap";
static volatile size_t size = ENTRY; /* more than the compiler may know */

/* Each way reads the entries of some pages, from a position in the file. */
typedef void way(off_t pos, size_t pages, uint64_t *entries);

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

/* ---- descriptors -------------------------------------------------------- */

static int opened(const char *name, int flags)
{
	int fd = open(name, flags);

	need(fd >= 0, name);
	return fd;
}

static void lseek_read(off_t pos, size_t pages, uint64_t *entries)
{
	uint64_t buf[PAGES];
	int fd = opened(path, O_RDONLY);

	need(lseek(fd, pos, SEEK_SET) == pos, "lseek");
	for (size_t i = 0; i < pages; i++)
		need(read(fd, buf, size) == (ssize_t)ENTRY && (entries[i] = buf[0], 1), "read");
	close(fd);
}

static void bulk_pread(off_t pos, size_t pages, uint64_t *entries)
{
	uint64_t buf[PAGES];
	int fd = opened(path, O_RDONLY | O_CLOEXEC);

	need(pread(fd, buf, pages * size, pos) == (ssize_t)(pages * ENTRY), "pread");
	memcpy(entries, buf, pages * ENTRY);
	close(fd);
}

static void pread_by_pid(off_t pos, size_t pages, uint64_t *entries)
{
	uint64_t buf[PAGES];
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/pagemap", (int)getpid());
	fd = opened(name, O_RDONLY);
	need(pread64(fd, buf, pages * size, pos) == (ssize_t)(pages * ENTRY), "pread64");
	memcpy(entries, buf, pages * ENTRY);
	close(fd);
}

static void vectors(off_t pos, size_t pages, uint64_t *entries)
{
	struct iovec parts[] = {{entries, ENTRY}, {entries + 1, (pages - 1) * ENTRY}};
	int fd = opened(path, O_RDONLY);

	need(preadv(fd, parts, 2, pos) == (ssize_t)(pages * ENTRY), "preadv");
	close(fd);
}

static void by_number(off_t pos, size_t pages, uint64_t *entries)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);

	need(fd >= 0, "SYS_openat");
	need(syscall(SYS_pread64, fd, entries, pages * size, pos) == (long)(pages * ENTRY),
	     "SYS_pread64");
	syscall(SYS_close, fd);
}

/* ---- streams ------------------------------------------------------------ */

static FILE *stream_at(off_t pos)
{
	FILE *stream = fopen(path, "rb");

	need(stream && fseeko(stream, pos, SEEK_SET) == 0, "fopen, fseeko");
	return stream;
}

static void take(FILE *stream, size_t pages, uint64_t *entries)
{
	uint64_t buf[PAGES];

	need(fread(buf, size, pages, stream) == pages, "fread");
	memcpy(entries, buf, pages * ENTRY);
	fclose(stream);
}

static void one_fread(off_t pos, size_t pages, uint64_t *entries)
{
	take(stream_at(pos), pages, entries);
}

static void fread_each(off_t pos, size_t pages, uint64_t *entries)
{
	for (size_t i = 0; i < pages; i++)
		take(stream_at(pos + (off_t)(i * ENTRY)), 1, &entries[i]);
}

static void unbuffered(off_t pos, size_t pages, uint64_t *entries)
{
	FILE *stream = fopen(path, "rb");

	need(stream && setvbuf(stream, NULL, _IONBF, 0) == 0, "setvbuf");
	need(fseek(stream, pos, SEEK_SET) == 0, "fseek");
	take(stream, pages, entries);
}

static void lseek_under_stream(off_t pos, size_t pages, uint64_t *entries)
{
	FILE *stream = fopen64(path, "r");

	need(stream && lseek(fileno(stream), pos, SEEK_SET) == pos, "lseek of fileno");
	take(stream, pages, entries);
}

static void read_under_stream(off_t pos, size_t pages, uint64_t *entries)
{
	FILE *stream = fopen(path, "r");

	need(stream &&
		     pread(fileno(stream), entries, pages * size, pos) == (ssize_t)(pages * ENTRY),
	     "pread of fileno");
	fclose(stream);
}

static void fdopened(off_t pos, size_t pages, uint64_t *entries)
{
	FILE *stream = fdopen(opened(path, O_RDONLY), "r");

	need(stream && fseeko(stream, pos, SEEK_SET) == 0, "fdopen");
	take(stream, pages, entries);
}

static void freopened(off_t pos, size_t pages, uint64_t *entries)
{
	FILE *stream = freopen(path, "r", fopen("/dev/null", "r"));

	need(stream && fseeko(stream, pos, SEEK_SET) == 0, "freopen");
	take(stream, pages, entries);
}

static void by_byte(off_t pos, size_t pages, uint64_t *entries)
{
	FILE *stream = stream_at(pos);
	unsigned char *bytes = (unsigned char *)entries;

	for (size_t i = 0; i < pages * ENTRY; i++)
		bytes[i] = (unsigned char)(i % 2 ? getc(stream) : getc_unlocked(stream));
	need(!feof(stream) && !ferror(stream), "getc");
	fclose(stream);
}

/* With optimisation this is inlined: it takes from the buffer, and calls only to fill it. */
static void by_byte_inlined(off_t pos, size_t pages, uint64_t *entries)
{
	FILE *stream = stream_at(pos);
	unsigned char *bytes = (unsigned char *)entries;

	for (size_t i = 0; i < pages * ENTRY; i++)
		bytes[i] = (unsigned char)getc_unlocked(stream);
	need(!feof(stream) && !ferror(stream), "getc_unlocked");
	fclose(stream);
}

static void by_input(off_t pos, size_t pages, uint64_t *entries)
{
	unsigned char *bytes = (unsigned char *)entries;
	int input = dup(0);

	need(freopen(path, "r", stdin) && fseeko(stdin, pos, SEEK_SET) == 0, "freopen of stdin");
	for (size_t i = 0; i < pages * ENTRY; i++)
		bytes[i] = (unsigned char)getchar();
	need(!feof(stdin) && freopen("/dev/null", "r", stdin) && dup2(input, 0) == 0, "getchar");
	close(input);
}

/* ---- aside, and by detours ---------------------------------------------- */

static void asynchronously(off_t pos, size_t pages, uint64_t *entries)
{
	struct aiocb request = {.aio_fildes = opened(path, O_RDONLY),
				.aio_buf = entries,
				.aio_nbytes = pages * ENTRY,
				.aio_offset = pos};
	const struct aiocb *list[] = {&request};

	need(aio_read(&request) == 0, "aio_read");
	while (aio_error(&request) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	need(aio_return(&request) == (ssize_t)(pages * ENTRY), "aio_return");
	close(request.aio_fildes);
}

static void in_a_list(off_t pos, size_t pages, uint64_t *entries)
{
	struct aiocb request = {.aio_fildes = opened(path, O_RDONLY),
				.aio_lio_opcode = LIO_READ,
				.aio_buf = entries,
				.aio_nbytes = pages * ENTRY,
				.aio_offset = pos};
	struct aiocb *list[] = {&request};

	need(lio_listio(LIO_WAIT, list, 1, NULL) == 0 &&
		     aio_return(&request) == (ssize_t)(pages * ENTRY),
	     "lio_listio");
	close(request.aio_fildes);
}

static void by_pidfd(off_t pos, size_t pages, uint64_t *entries)
{
	int pidfd = (int)syscall(434 /* SYS_pidfd_open */, getpid(), 0);
	int fd = opened(path, O_RDONLY);
	int got = (int)syscall(438 /* SYS_pidfd_getfd */, pidfd, fd, 0);

	close(fd);
	need(pread(got, entries, pages * ENTRY, pos) == (ssize_t)(pages * ENTRY), "pidfd_getfd");
	close(got);
	close(pidfd);
}

static const struct {
	const char *name;
	way *read;
} ways[] = {
	{"lseek, read", lseek_read},
	{"pread of many", bulk_pread},
	{"pread64 by pid", pread_by_pid},
	{"preadv", vectors},
	{"syscall()", by_number},
	{"fread", fread_each},
	{"fread of many", one_fread},
	{"fread, no buffer", unbuffered},
	{"fread, lseek of fileno", lseek_under_stream},
	{"pread of fileno", read_under_stream},
	{"fdopen, fread", fdopened},
	{"freopen, fread", freopened},
	{"getc", by_byte},
	{"getc_unlocked", by_byte_inlined},
	{"getchar", by_input},
	{"aio_read", asynchronously},
	{"lio_listio", in_a_list},
	{"pidfd_getfd", by_pidfd},
};

/* New memory for each way: it must pin what it tells. */
static char *new_memory(void)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	need(memory != MAP_FAILED, "mmap");
	for (size_t i = 0; i < PAGES; i++)
		if (i != UNTOUCHED)
			memory[i * PAGE] = 1;
	return memory;
}

int main(void)
{
	for (size_t w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
		uintptr_t va = (uintptr_t)new_memory();
		uint64_t entries[PAGES];

		ways[w].read((off_t)(va / PAGE * ENTRY), PAGES, entries);
		for (size_t i = 0; i < PAGES; i++)
			printf("%#" PRIxPTR " %#" PRIx64 " %s\n", va + i * PAGE, entries[i],
			       ways[w].name);
	}
	puts("ready");
	fflush(stdout);
	return read(0, &(char){0}, 1) == 0 ? 0 : 1;
}
