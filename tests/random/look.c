/* Lookups: all ways to read a pagemap, and what is said of its entries. */
#define _GNU_SOURCE
#include "random.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uapi/pagemap.h"

#define PRESENT	   (1ULL << 63)
#define SWAPPED	   (1ULL << 62)
#define FILE_PAGE  (1ULL << 61)
#define EXCLUSIVE  (1ULL << 56)
#define SOFT_DIRTY (1ULL << 55)
#define PFN	   ((1ULL << 55) - 1)

#define SMALL_PER_PAGE(memory) (1UL << ((memory)->shift - PAGE_SHIFT))
#define MAX_ENTRIES	       16

/* ---- reading ---------------------------------------------------------------- */

static const char *const spellings[] = {
	"/proc/self/pagemap",	      "/proc/$p/pagemap",	"/proc/thread-self/pagemap",
	"/proc/self/task/$t/pagemap", "//proc/./self//pagemap", "/proc/self/root/proc/self/pagemap",
	"/dev/fd/../pagemap",	      "/tmp/random-link",	"/tmp/random-links/self/pagemap",
	"/proc/$p/task/$p/pagemap",
};

const char *spelling_of(int spelling, char *path, size_t size)
{
	const char *from =
		spellings[numbers_foreign ? 0 : (size_t)spelling % ARRAY_SIZE(spellings)];
	size_t used = 0;

	for (; *from && used < size - 12; from++) {
		if (*from == '$')
			used += (size_t)sprintf(path + used, "%d",
						*++from == 'p' ? getpid() : gettid());
		else
			path[used++] = *from;
	}
	path[used] = '\0';
	return path;
}

static ssize_t by_aio(int fd, void *buffer, size_t size, off_t offset)
{
	struct aiocb request = {
		.aio_fildes = fd, .aio_buf = buffer, .aio_nbytes = size, .aio_offset = offset};
	const struct aiocb *const list[] = {&request};

	if (aio_read(&request))
		return -1;
	while (aio_error(&request) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	errno = aio_error(&request);
	return aio_return(&request);
}

static ssize_t read_entries(int fd, enum way way, uint64_t *entries, size_t count, off_t offset)
{
	size_t size = count * sizeof(*entries), half = count / 2 * sizeof(*entries);
	struct iovec parts[] = {{entries, half}, {(char *)entries + half, size - half}};

	switch (way) {
	case SEEK_READ:
		return lseek(fd, offset, SEEK_SET) == offset ? read(fd, entries, size) : -1;
	case READV:
		return lseek(fd, offset, SEEK_SET) == offset ? readv(fd, parts, 2) : -1;
	case PREADV:
		return preadv(fd, parts, 2, offset);
	case SYSCALL:
		return syscall(SYS_pread64, fd, entries, size, offset);
	case AIO:
		return by_aio(fd, entries, size, offset);
	default:
		return pread(fd, entries, size, offset);
	}
}

static ssize_t by_stream(const char *path, uint64_t *entries, size_t count, off_t offset)
{
	FILE *file = fopen(path, "rbe");
	size_t got;

	if (!file)
		return -1;
	got = fseek(file, offset, SEEK_SET) ? 0 : fread(entries, sizeof(*entries), count, file);
	fclose(file);
	return (ssize_t)(got * sizeof(*entries));
}

static ssize_t read_by_path(const char *path, enum way way, uint64_t *entries, size_t count,
			    off_t offset)
{
	ssize_t result;
	int fd, error;

	if (way == STREAM)
		return by_stream(path, entries, count, offset);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	result = read_entries(fd, way, entries, count, offset);
	error = errno;
	close(fd);
	errno = error;
	return result;
}

static off_t offset_of(const struct memory *memory, size_t page)
{
	return (off_t)(((uintptr_t)memory->va >> PAGE_SHIFT) + page * SMALL_PER_PAGE(memory)) * 8;
}

/* ---- what is said ------------------------------------------------------------- */

static bool was_told(const struct memory *memory, size_t page)
{
	return memory->told[page] &&
	       (memory->object < 0 ||
		memory->since[page] ==
			__atomic_load_n(&report->generation[memory->object], __ATOMIC_SEQ_CST));
}

static void tell(struct memory *memory, size_t page, uint64_t frame)
{
	memory->told[page] = memory->barred ? 0 : frame;
	memory->shared_then[page] = memory_is_private(memory) && !memory->written[page];
	if (memory->object >= 0)
		memory->since[page] =
			__atomic_load_n(&report->generation[memory->object], __ATOMIC_SEQ_CST);
}

/*
 * A page that was only read goes elsewhere when it is written. One that fork() copied is at
 * the same place in one of the two processes, and the kernel does not say in which. With
 * the library that is the parent.
 */
static char place(struct memory *memory, size_t page, uint64_t entry)
{
	uint64_t frame = entry & PFN;
	bool told = was_told(memory, page);
	bool moves = memory->copied || memory->shared_then[page];
	bool same = told && frame == memory->told[page];

	if (!frame)
		return '0';
	tell(memory, page, frame);
	if (!told)
		return 'n';
	return same || (moves && !report->promised) ? 's' : 'M';
}

/*
 * A private page that was only read may be the file's, or one for all zeroes. To be pinned
 * it has to become the process's own. Whether fork() takes it along depends on what is
 * mapped beside it.
 */
static char *describe(struct memory *memory, size_t page, uint64_t entry, bool others, char *out)
{
	bool is_own = !memory_is_private(memory) || memory->written[page];

	if (!is_own && memory->copied) {
		strcpy(out, "? ");
		return out + 2;
	}
	if (!(entry & PRESENT)) {
		*out++ = entry & SWAPPED ? 'S' : '-';
	} else {
		*out++ = others || frames_hidden ? 'o' : place(memory, page, entry);
		if (entry & FILE_PAGE && is_own)
			*out++ = 'f';
		if (entry & EXCLUSIVE && is_own && !memory->copied)
			*out++ = 'x';
	}
	if (entry & SOFT_DIRTY && !memory->copied)
		*out++ = 'd';
	*out++ = ' ';
	*out = '\0';
	return out;
}

/* Others: the pagemap shows another process's memory at this address. */
static void say_entries(const char *how, int m, size_t page, ssize_t got, const uint64_t *entries,
			bool others)
{
	struct memory *memory = &memories[m];
	size_t step = SMALL_PER_PAGE(memory);
	char text[MAX_ENTRIES * 8] = "", *end = text;

	for (size_t i = 0; got > 0 && i < (size_t)got / 8; i += step)
		end = describe(memory, page + i / step, entries[i], others, end);
	say("look m%d+%zu %s: %s %s", m, page, how, answer(got), text);
}

static const char *const ways[] = {"pread", "read", "readv", "preadv", "stream", "syscall", "aio"};

/*
 * A child that has its parent's memory gets only the one entry of a page that nobody has
 * looked up by a descriptor that is not verified.
 */
static bool choose(struct memory *memory, int from, int pages, size_t *first, size_t *count)
{
	if (memory_is_borrowed && memory->shift != PAGE_SHIFT)
		return false;
	*first = (size_t)from % memory->pages;
	*count = 1 + (size_t)pages % (memory->pages - *first);
	if (memory_is_borrowed || (memory->kind == BAR && *count > MAX_PAGES))
		*count = 1;
	return true;
}

/* Of a huge page all entries are read at once. */
#define MAX_READ (2 * 512)

/* Its parent has to: a child that has its parent's memory is not the first to look. */
void look_first(void)
{
	static volatile char page = 1;
	uint64_t entry;

	page = 2;
	read_by_path("/proc/self/pagemap", PREAD, &entry, 1,
		     (off_t)((uintptr_t)&page >> PAGE_SHIFT) * 8);
}

void look(int m, int from, int pages, enum way way, int spelling)
{
	struct memory *memory = memory_get("look", m);
	uint64_t entries[MAX_READ];
	size_t first, count;
	char path[64];
	ssize_t got;

	if (!memory || !choose(memory, from, pages, &first, &count))
		return;
	if (count * SMALL_PER_PAGE(memory) > MAX_READ)
		count = 1;
	memset(entries, 0, sizeof(entries));
	got = read_by_path(spelling_of(spelling, path, sizeof(path)), way, entries,
			   count * SMALL_PER_PAGE(memory), offset_of(memory, first));
	say_entries(ways[way], m, first, got, entries, false);
}

void look_by(int d, int m, int from, int pages, enum way way)
{
	struct memory *memory = memory_get("look", m);
	uint64_t entries[MAX_READ];
	size_t first, count;
	ssize_t got;

	if (!memory || !choose(memory, from, pages, &first, &count))
		return;
	if (owners[d] != memory_owner && owners[d] != memory->owner) {
		say("look m%d: not there", m);
		return;
	}
	if (count * SMALL_PER_PAGE(memory) > MAX_READ)
		count = 1;
	memset(entries, 0, sizeof(entries));
	got = read_entries(descriptors[d], way == STREAM ? PREAD : way, entries,
			   count * SMALL_PER_PAGE(memory), offset_of(memory, first));
	say_entries(ways[way], m, first, got, entries, owners[d] != memory_owner);
}

/* The compiler may not know it. */
static void *volatile nowhere;

/* Reads that the kernel refuses, or answers short. */
void look_wrong(int d, int m, int how)
{
	struct memory *memory = memory_get("look wrong", m);
	uint64_t entries[4] = {0};
	int fd = descriptors[d];
	long result = 0;
	off_t offset;

	if (!memory)
		return;
	offset = offset_of(memory, 0);
	switch (how) {
	case 0:
		result = pread(fd, entries, 7, offset);
		break;
	case 1:
		result = pread(fd, entries, 8, offset + 4);
		break;
	case 2:
		result = pread(fd, nowhere, 8, offset);
		break;
	case 3:
		result = pread(fd, entries, 0, offset);
		break;
	case 4:
		result = pread(fd, entries, 8, (off_t)1 << 46);
		break;
	case 5:
		result = pread(fd, entries, 8, -8);
		break;
	case 6:
		result = write(fd, entries, 8);
		break;
	case 7:
		result = lseek(fd, 0, SEEK_END);
		break;
	case 8:
		result = lseek(fd, 64, SEEK_SET) == 64 ? lseek(fd, 8, SEEK_CUR) : -1;
		break;
	case 9:
		result = mmap(NULL, PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
		break;
	case 10:
		result = ftruncate(fd, 0);
		break;
	default:
		result = ioctl(fd, FIONREAD, entries);
	}
	say("look wrong d%d %d: %s", d, how, answer(result));
}

void scan(int d, int m)
{
	struct memory *memory = memory_get("scan", m);
	struct page_region regions[4];
	struct pm_scan_arg arg = {.size = sizeof(arg), .vec = (uintptr_t)regions, .vec_len = 4};
	unsigned long pages = 0;
	int result;

	if (!memory)
		return;
	if (owners[d] != memory_owner && owners[d] != memory->owner) {
		say("scan m%d: not there", m);
		return;
	}
	arg.start = (uintptr_t)memory->va;
	arg.end = arg.start + (memory->pages << memory->shift);
	arg.category_mask = arg.return_mask = PAGE_IS_PRESENT;
	result = ioctl(descriptors[d], PAGEMAP_SCAN, &arg);
	for (int i = 0; i < result; i++)
		pages += (regions[i].end - regions[i].start) / PAGE_SIZE;
	say("scan d%d m%d: %s regions, %lu pages", d, m, answer(result), pages);
}

/* ---- the promise ---------------------------------------------------------------- */

/* To the other node, from whichever it is on. */
static void try_to_move(char *va)
{
	void *page = va;
	int node = -1, status;

	if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0) || node < 0)
		return;
	node = !node;
	syscall(SYS_move_pages, 0, 1UL, &page, &node, &status, 2);
}

void hold(int m)
{
	struct memory *memory = memory_get("hold", m);
	unsigned int told = 0, moved = 0;
	uint64_t entry;

	if (!memory)
		return;
	for (size_t i = 0; i < memory->pages && i < MAX_PAGES; i++) {
		if (!was_told(memory, i) || memory->barred || memory->kind == BAR)
			continue;
		told++;
		if (!report->promised || frames_hidden)
			continue;
		try_to_move(memory->va + (i << memory->shift));
		/* It is absent where this process has not touched it since a fork. */
		if (read_by_path("/proc/thread-self/pagemap", PREAD, &entry, 1,
				 offset_of(memory, i)) == 8 &&
		    entry & PRESENT && (entry & PFN) != memory->told[i])
			moved++;
	}
	say("hold m%d: %u told, %u moved", m, told, moved);
}
