/* Lookups, as drivers make them. */
#define _GNU_SOURCE
#include "model.h"

#include <fcntl.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>

#define PAGEMAP "/proc/self/pagemap"

static off_t offset_of(const char *va)
{
	return (off_t)((uintptr_t)va / PAGE_SIZE * sizeof(uint64_t));
}

/* The most common way: a descriptor for each page, and 8 bytes for each read. */
static bool open_seek_read(const char *va, size_t pages, uint64_t *entries)
{
	for (size_t i = 0; i < pages; i++) {
		off_t offset = offset_of(va + i * PAGE_SIZE);
		int fd = open(PAGEMAP, O_RDONLY | O_CLOEXEC);
		bool ok = fd >= 0 && lseek(fd, offset, SEEK_SET) == offset &&
			  read(fd, &entries[i], sizeof(*entries)) == sizeof(*entries);

		if (!ok) {
			int error = errno;

			close(fd);
			errno = error;
			return false;
		}
		close(fd);
	}
	return true;
}

static int kept = -1;
static pid_t opener;

bool look_is_kept(void)
{
	return opener == getpid();
}

/* A pagemap shows the process that opened it, so a child needs its own. */
static void keep_own(void)
{
	if (look_is_kept())
		return;
	opener = getpid();
	kept = open(PAGEMAP, O_RDONLY | O_CLOEXEC);
}

static bool kept_pread(const char *va, size_t pages, uint64_t *entries)
{
	size_t size = pages * sizeof(*entries);

	return kept >= 0 && pread(kept, entries, size, offset_of(va)) == (ssize_t)size;
}

int try_look_up(enum way way, const char *va, size_t pages, uint64_t *entries)
{
	bool ok;

	if (way == KEPT_PREAD)
		keep_own();
	ok = way == OPEN_SEEK_READ ? open_seek_read(va, pages, entries)
				   : kept_pread(va, pages, entries);
	return ok ? 0 : errno;
}

void look_up(enum way way, const char *va, size_t pages, uint64_t *entries)
{
	if (try_look_up(way, va, pages, entries))
		fail("looking up %zu pages at %p: %s", pages, (const void *)va, strerror(errno));
}
