/*
 * watched NAME, watched list [quiet|held]
 *
 * A driver whose memory is watched for writes, or is subject to other mechanisms:
 * soft-dirty bits, userfaultfd, fork(), merging, swap. It looks its addresses up in
 * pagemap. The kernel's own entry for the same page is read by system calls that do
 * not go through libc.
 *
 * The "quiet" drivers require that an entry that is looked up equals the kernel's, and
 * that no watcher notices the lookup. They work without the shim, too. The "held"
 * drivers require an address that stays the same while all memory is moved back and
 * forth, which needs a pin.
 *
 * Exit status: 0 if that driver works; otherwise 1, after a line that says which step
 * failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "legacy.h"
#include "storm.h"

#define PRESENT	   (1ULL << 63)
#define SWAPPED	   (1ULL << 62)
#define FILE_PAGE  (1ULL << 61)
#define UFFD_WP	   (1ULL << 57)
#define EXCLUSIVE  (1ULL << 56)
#define SOFT_DIRTY (1ULL << 55)
#define FLAGS	   (PRESENT | SWAPPED | FILE_PAGE | UFFD_WP | EXCLUSIVE | SOFT_DIRTY)
#define PFN	   ((1ULL << 55) - 1)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define PAGES 1024UL
#define SIZE  (PAGES * PAGE_SIZE)

static const char *running;
static int pagemap, kernels;

/* Ends the program at the first step that fails. */
__attribute__((format(printf, 2, 3))) static void need(bool ok, const char *step, ...)
{
	int error = errno;
	va_list args;

	errno = 0;
	if (ok)
		return;
	fprintf(stderr, "%s: failed: ", running);
	va_start(args, step);
	vfprintf(stderr, step, args);
	va_end(args);
	fprintf(stderr, error ? " (errno: %s)\n" : "\n", strerror(error));
	exit(1);
}

/* ---- the kernel's entries, without libc ---- */

#ifdef __x86_64__
static long raw(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}
#else
static long raw(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#endif

static uint64_t kernels_entry(const void *va)
{
	uint64_t entry;
	off_t pos = (off_t)((uintptr_t)va / PAGE_SIZE * sizeof(entry));

	need(raw(SYS_pread64, kernels, (long)&entry, sizeof(entry), pos) == sizeof(entry),
	     "the kernel's entry");
	return entry;
}

#define ENTRIES 64

static void told_entries(const void *va, size_t n, uint64_t *entries)
{
	off_t pos = (off_t)((uintptr_t)va / PAGE_SIZE * sizeof(*entries));
	size_t len = n * sizeof(*entries);

	need(pread(pagemap, entries, len, pos) == (ssize_t)len, "a lookup");
}

/*
 * The entries that a lookup of n pages returns must equal the kernel's. The lookup must
 * not change these flags.
 */
static void compare(const char *memory, size_t n, uint64_t flags, const char *what)
{
	uint64_t before[ENTRIES], told[ENTRIES], after;

	for (size_t i = 0; i < n; i++)
		before[i] = kernels_entry(memory + i * PAGE_SIZE);
	told_entries(memory, n, told);
	for (size_t i = 0; i < n; i++) {
		after = kernels_entry(memory + i * PAGE_SIZE);
		need(told[i] == after, "%s: page %zu: %#llx is told, the kernel has %#llx", what, i,
		     (unsigned long long)told[i], (unsigned long long)after);
		need(!((before[i] ^ after) & flags), "%s: page %zu: %#llx becomes %#llx", what, i,
		     (unsigned long long)before[i], (unsigned long long)after);
	}
}

static void quiet(const char *va, const char *what)
{
	compare(va, 1, FLAGS, what);
}

/* The same for a page that a pin has to copy. The entry is that of the copy. */
#define COPY_FLAGS (PRESENT | SWAPPED | UFFD_WP | SOFT_DIRTY)

static void copied(const char *va, const char *what)
{
	compare(va, 1, COPY_FLAGS, what);
}

/* ---- kinds of memory ---- */

static char *map(size_t size, int flags, int fd)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	need(memory != MAP_FAILED, "mmap");
	return memory;
}

/*
 * Makes the next large mapping come right below `memory`. The kernel merges similar
 * mappings there, and marks the new part soft-dirty.
 */
static void be_next_to(const char *memory)
{
	const size_t size = 16 * PAGE_SIZE;
	char *filler;

	do {
		filler = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		need(filler != MAP_FAILED, "mmap");
	} while (filler > memory);
	munmap(filler, size);
}

static char *touch(char *memory, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		memory[at] = (char)(at / PAGE_SIZE | 1);
	return memory;
}

static void read_all(const char *memory, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE_SIZE)
		(void)*(const volatile char *)(memory + at);
}

/* A file of SIZE bytes with something in it. */
static int file(unsigned int flags)
{
	int fd = memfd_create("watched", flags);

	need(fd >= 0 && !ftruncate(fd, SIZE), "memfd_create");
	touch(map(SIZE, MAP_SHARED, fd), SIZE);
	return fd;
}

static char *anonymous(void)
{
	return touch(map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1), SIZE);
}

static char *shared_anonymous(void)
{
	return touch(map(SIZE, MAP_SHARED | MAP_ANONYMOUS, -1), SIZE);
}

static char *shared_file(void)
{
	return touch(map(SIZE, MAP_SHARED, file(0)), SIZE);
}

static char *written_file(void)
{
	return touch(map(SIZE, MAP_PRIVATE, file(0)), SIZE);
}

static char *huge(void)
{
	return touch(map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1), SIZE);
}

static char *shared_huge(void)
{
	return touch(map(SIZE, MAP_SHARED, file(MFD_HUGETLB)), SIZE);
}

static char *transparent(void)
{
	char *memory = map(SIZE + HUGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	memory = (char *)(((uintptr_t)memory + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	need(!madvise(memory, SIZE, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	return touch(memory, SIZE);
}

static char *read_huge(void)
{
	char *memory = map(SIZE, MAP_PRIVATE, file(MFD_HUGETLB));

	read_all(memory, SIZE);
	return memory;
}

/* The huge zero page, which all processes share until they write. */
static char *huge_zero(void)
{
	char *memory = map(SIZE + HUGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	memory = (char *)(((uintptr_t)memory + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1));
	need(!madvise(memory, SIZE, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	read_all(memory, SIZE);
	return memory;
}

static char *read_only(void)
{
	char *memory = anonymous();

	need(!mprotect(memory, SIZE, PROT_READ), "mprotect");
	return memory;
}

/* The zero page, which all processes share until they write. */
static char *zero_pages(void)
{
	char *memory = map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	read_all(memory, SIZE);
	return memory;
}

static char *read_file(void)
{
	char *memory = map(SIZE, MAP_PRIVATE, file(0));

	read_all(memory, SIZE);
	return memory;
}

enum {
	COPIED = 1,   /* by a pin */
	UNMARKED = 2, /* the kernel keeps no soft-dirty bits of it */
	OF_FILE = 4,
	/*
	 * A pin of the huge zero page gets a new page from the kernel, which is soft-dirty
	 * and not write-protected. The shim cannot prevent that.
	 */
	FORGETFUL = 8,
};

static const struct kind {
	const char *name;
	char *(*make)(void);
	int is;
} kinds[] = {
	{"anonymous", anonymous, 0},
	{"shared", shared_anonymous, OF_FILE},
	{"shared file", shared_file, OF_FILE},
	{"written private file", written_file, OF_FILE},
	{"huge", huge, UNMARKED | OF_FILE},
	{"shared huge", shared_huge, UNMARKED | OF_FILE},
	{"transparent huge", transparent, 0},
	{"read-only", read_only, 0},
	{"zero", zero_pages, COPIED},
	{"private file", read_file, COPIED | OF_FILE},
	{"huge zero", huge_zero, COPIED | FORGETFUL},
	{"private huge file", read_huge, COPIED | UNMARKED | OF_FILE},
};

/* ---- quiet ---- */

static void clear_soft_dirty(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	need(fd >= 0 && write(fd, "4", 1) == 1, "clear_refs");
	close(fd);
}

/* Compares page by page, and then many pages at a time. */
static void flags_of(const struct kind *kind, const char *memory)
{
	uint64_t same = kind->is & COPIED ? COPY_FLAGS : FLAGS;

	if (kind->is & FORGETFUL)
		same &= ~(SOFT_DIRTY | UFFD_WP);
	for (size_t at = 0; at < SIZE / 2; at += PAGE_SIZE)
		compare(memory + at, 1, same, kind->name);
	for (size_t at = SIZE / 2; at < SIZE; at += ENTRIES * PAGE_SIZE)
		compare(memory + at, ENTRIES, same, kind->name);
}

/* Pages that are soft-dirty from the beginning must stay so. */
static void flags(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		flags_of(&kinds[i], kinds[i].make());
}

static void soft_dirty(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *memory = kinds[i].make();

		clear_soft_dirty();
		need(!(kernels_entry(memory) & SOFT_DIRTY), "%s: bit 55 is cleared", kinds[i].name);
		flags_of(&kinds[i], memory);
		flags_of(&kinds[i], memory);
		for (size_t at = 0; at < SIZE && !(kinds[i].is & FORGETFUL); at += PAGE_SIZE)
			need(!(kernels_entry(memory + at) & SOFT_DIRTY),
			     "%s: bit 55 stays cleared, page %zu", kinds[i].name, at / PAGE_SIZE);
		if (kinds[i].is & UNMARKED || kinds[i].make == read_only)
			continue;
		memory[5 * PAGE_SIZE] = 1;
		quiet(memory + 5 * PAGE_SIZE, kinds[i].name);
		need(kernels_entry(memory + 5 * PAGE_SIZE) & SOFT_DIRTY, "%s: a write is seen",
		     kinds[i].name);
	}
}

/* Mappings that the shim makes must not be merged with the driver's. */
static void soft_dirty_beside(void)
{
	char *memory = anonymous();

	be_next_to(memory);
	clear_soft_dirty();
	for (size_t at = 0; at < SIZE / 2; at += PAGE_SIZE)
		quiet(memory + at, "one by one");
	for (size_t at = 0; at < SIZE; at += PAGE_SIZE)
		need(!(kernels_entry(memory + at) & SOFT_DIRTY), "page %zu is not written",
		     at / PAGE_SIZE);
}

/* ---- userfaultfd ---- */

#define WP_OF_FILES (1ULL << 12)
#define WP_ASYNC    (1ULL << 15)
#define RWP	    (1ULL << 17)

/* Of Linux 7.3: protects from reads, too. */
#define REGISTER_MODE_RWP (1ULL << 3)
#define RWPROTECT	  _IOWR(UFFDIO, 9, struct uffdio_writeprotect)

struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN	       _IOWR('f', 16, struct scan)
#define IS_WRITTEN     2
#define WP_MATCHING    1
#define CHECK_WP_ASYNC 2

static int watch(void *memory, size_t size, uint64_t features, uint64_t mode)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};
	struct uffdio_register range = {
		.range = {.start = (uintptr_t)memory, .len = size},
		.mode = mode,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	need(fd >= 0 && !ioctl(fd, UFFDIO_API, &api), "userfaultfd");
	need(!ioctl(fd, UFFDIO_REGISTER, &range), "UFFDIO_REGISTER");
	return fd;
}

static void protect(int fd, void *memory, size_t size, uint64_t mode)
{
	struct uffdio_writeprotect range = {
		.range = {.start = (uintptr_t)memory, .len = size},
		.mode = mode,
	};

	need(!ioctl(fd, UFFDIO_WRITEPROTECT, &range), "UFFDIO_WRITEPROTECT");
}

/* True if this kernel has the feature. */
static bool can_watch(uint64_t feature)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	need(fd >= 0 && !ioctl(fd, UFFDIO_API, &api), "userfaultfd");
	close(fd);
	return api.features & feature;
}

static void need_no_event(int fd, const char *what)
{
	struct pollfd event = {.fd = fd, .events = POLLIN};

	need(poll(&event, 1, 20) == 0, "%s: no event", what);
}

/* The number of runs of pages that were written since the last protecting scan. */
static long written(const char *memory, uint64_t flags)
{
	uint64_t regions[3 * 8];
	struct scan scan = {
		.size = sizeof(scan),
		.flags = flags | CHECK_WP_ASYNC,
		.start = (uintptr_t)memory,
		.end = (uintptr_t)memory + SIZE,
		.vec = (uintptr_t)regions,
		.vec_len = 8,
		.category_mask = IS_WRITTEN,
		.return_mask = IS_WRITTEN,
	};
	long n = raw(SYS_ioctl, kernels, (long)SCAN, (long)&scan, 0);

	need(n >= 0, "PAGEMAP_SCAN: %ld", n);
	return n;
}

static void wp_async(void)
{
	if (!can_watch(WP_ASYNC))
		exit(77);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *memory;
		int fd;

		if (kinds[i].is & FORGETFUL)
			continue;
		memory = kinds[i].make();
		fd = watch(memory, SIZE, WP_ASYNC, UFFDIO_REGISTER_MODE_WP);

		need(written(memory, WP_MATCHING) > 0, "%s: all is written", kinds[i].name);
		need(written(memory, 0) == 0, "%s: nothing is written", kinds[i].name);
		flags_of(&kinds[i], memory);
		need(written(memory, 0) == 0, "%s: a lookup writes nothing", kinds[i].name);
		if (kinds[i].make != read_only) {
			memory[5 * PAGE_SIZE] = 1;
			need(written(memory, 0) == 1, "%s: a write is one", kinds[i].name);
		}
		close(fd);
	}
}

/* A write would wait for ever, as this thread is the one that would have to answer. */
static void wp(void)
{
	bool of_files = can_watch(WP_OF_FILES);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *memory;
		int fd;

		if (kinds[i].is & OF_FILE && !of_files)
			continue;
		memory = kinds[i].make();
		fd = watch(memory, SIZE, 0, UFFDIO_REGISTER_MODE_WP);
		protect(fd, memory, SIZE, UFFDIO_WRITEPROTECT_MODE_WP);
		need(kernels_entry(memory) & UFFD_WP, "%s: it is protected", kinds[i].name);
		flags_of(&kinds[i], memory);
		need_no_event(fd, kinds[i].name);
		close(fd);
	}
}

/* So would any access, and a pin is one. */
static void rwp(void)
{
	if (!can_watch(RWP))
		exit(77);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct uffdio_writeprotect range = {.range.len = SIZE, .mode = 1};
		char *memory;
		int fd;

		memory = kinds[i].make();
		fd = watch(memory, SIZE, RWP, REGISTER_MODE_RWP);
		range.range.start = (uintptr_t)memory;
		need(!ioctl(fd, RWPROTECT, &range), "%s: UFFDIO_RWPROTECT", kinds[i].name);
		need(kernels_entry(memory) & UFFD_WP, "%s: it is protected", kinds[i].name);
		flags_of(&kinds[i], memory);
		need_no_event(fd, kinds[i].name);
		close(fd);
	}
}

/* Every third page is present. The others must stay absent. */
static void missing_in(char *memory, const char *what)
{
	int fd = watch(memory, SIZE, 0, UFFDIO_REGISTER_MODE_MISSING);

	for (size_t at = 0; at < SIZE; at += PAGE_SIZE)
		quiet(memory + at, what);
	for (size_t at = 0; at < SIZE; at += PAGE_SIZE)
		need(!(kernels_entry(memory + at) & PRESENT) == (at / PAGE_SIZE % 3 != 0),
		     "%s: what is absent stays absent, page %zu", what, at / PAGE_SIZE);
	need_no_event(fd, what);
	close(fd);
}

static void missing(void)
{
	char *memory[] = {map(SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1),
			  map(SIZE, MAP_SHARED | MAP_ANONYMOUS, -1)};

	for (size_t i = 0; i < ARRAY_SIZE(memory); i++) {
		for (size_t at = 0; at < SIZE; at += 3 * PAGE_SIZE)
			memory[i][at] = 1;
		missing_in(memory[i], i ? "shared" : "anonymous");
	}
}

/* Lookups in front of the watched part, enough for the shim to pin ahead into it. */
static void ahead_of_wp(void)
{
	char *memory = anonymous();
	int fd = watch(memory + SIZE / 2, SIZE / 2, 0, UFFDIO_REGISTER_MODE_WP);

	protect(fd, memory + SIZE / 2, SIZE / 2, UFFDIO_WRITEPROTECT_MODE_WP);
	for (size_t at = 0; at < SIZE / 2; at += PAGE_SIZE)
		quiet(memory + at, "in front");
	for (size_t at = SIZE / 2; at < SIZE; at += PAGE_SIZE)
		need((kernels_entry(memory + at) & (PRESENT | UFFD_WP)) == (PRESENT | UFFD_WP),
		     "page %zu stays protected", at / PAGE_SIZE);
	need_no_event(fd, "ahead");
}

/* Ends with the parent at the latest. */
static void wait_for_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pause();
	_exit(0);
}

/* A child shares the pages, so each lookup has to copy one. That must be no write. */
static void wp_forked(void)
{
	char *memory = anonymous();
	pid_t child = fork();
	int fd;

	need(child >= 0, "fork");
	if (!child)
		wait_for_parent();
	fd = watch(memory, SIZE, 0, UFFDIO_REGISTER_MODE_WP);
	clear_soft_dirty();
	protect(fd, memory, SIZE, UFFDIO_WRITEPROTECT_MODE_WP);
	for (size_t at = 0; at < SIZE; at += PAGE_SIZE)
		copied(memory + at, "with a child");
	need_no_event(fd, "with a child");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- held ---- */

static uint64_t told[PAGES];

static void look_up(const char *memory)
{
	for (size_t i = 0; i < PAGES; i++)
		told_entries(memory + i * PAGE_SIZE, 1, &told[i]);
}

/* While the kernel tries to move a page, its entry has SWAPPED set. */
static uint64_t settled_entry(const void *va)
{
	uint64_t entry = kernels_entry(va);

	for (int i = 0; i < 2000 && entry & SWAPPED; i++) {
		usleep(500);
		entry = kernels_entry(va);
	}
	return entry;
}

static void need_held(const char *memory, const char *what)
{
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t entry = settled_entry(memory + i * PAGE_SIZE);

		need(entry & PRESENT && !((entry ^ told[i]) & PFN),
		     "%s: page %zu is at %#llx, told %#llx", what, i,
		     (unsigned long long)(entry & PFN), (unsigned long long)(told[i] & PFN));
	}
}

static struct storm storm;

static void begin_storm(void)
{
	need(!storm_begin(&storm), "a storm");
}

/* The memory is written after the lookup, while everything moves. */
static void storm_of(const struct kind *kind)
{
	char *memory = kind->make();

	look_up(memory);
	begin_storm();
	if (kind->make == read_only)
		need(!mprotect(memory, SIZE, PROT_READ | PROT_WRITE), "mprotect");
	touch(memory, SIZE);
	for (int i = 0; i < 3; i++) {
		usleep(20000);
		need_held(memory, kind->name);
	}
	storm_end(&storm);
}

static void written_after(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		need(!storm_fork(&storm), "a storm");
		storm_of(&kinds[i]);
	}
}

/* The parent writes first, so it would get another page. */
static void forked(void)
{
	char *memory = anonymous();
	pid_t child;

	look_up(memory);
	child = fork();
	need(child >= 0, "fork");
	if (!child)
		wait_for_parent();
	touch(memory, SIZE);
	need_held(memory, "after fork");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	need_held(memory, "without the child");
}

/* The only mapping of these pages is replaced by a new one, and then touched. */
static void mapped_over(void)
{
	int fd = file(0);
	char *memory = touch(map(SIZE, MAP_SHARED, fd), SIZE);

	need(!storm_fork(&storm), "a storm");
	look_up(memory);
	need(mmap(memory, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == memory,
	     "mapping it once more");
	touch(memory, SIZE);
	begin_storm();
	for (int i = 0; i < 3; i++) {
		usleep(20000);
		need_held(memory, "mapped over");
	}
	storm_end(&storm);
}

static void unprotected(void)
{
	char *memory;
	int fd;

	need(!storm_fork(&storm), "a storm");
	memory = anonymous();
	fd = watch(memory, SIZE, 0, UFFDIO_REGISTER_MODE_WP);
	protect(fd, memory, SIZE, UFFDIO_WRITEPROTECT_MODE_WP);
	look_up(memory);
	protect(fd, memory, SIZE, 0);
	begin_storm();
	touch(memory, SIZE);
	need_held(memory, "unprotected");
	storm_end(&storm);
}

/* ---- merging and swap ---- */

static void set_ksm(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	fd = open(path, O_WRONLY);
	need(fd >= 0 && write(fd, value, strlen(value)) > 0, "%s", path);
	close(fd);
}

/* Waits until the two pages in front, which were not looked up, are merged. */
static void wait_for_ksm(const char *memory)
{
	set_ksm("sleep_millisecs", "10");
	set_ksm("pages_to_scan", "4000");
	set_ksm("run", "1");
	for (int i = 0; i < 500; i++) {
		if (!((kernels_entry(memory - PAGE_SIZE) ^ kernels_entry(memory - 2 * PAGE_SIZE)) &
		      PFN))
			return;
		usleep(20000);
	}
	need(false, "the kernel merges pages");
}

static char *alike(void)
{
	char *memory = map(SIZE + 2 * PAGE_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	memset(memory, 0xa5, 2 * PAGE_SIZE);
	memset(memory + 2 * PAGE_SIZE, 0x5a, SIZE);
	need(!madvise(memory, SIZE + 2 * PAGE_SIZE, MADV_MERGEABLE), "MADV_MERGEABLE");
	return memory + 2 * PAGE_SIZE;
}

static void merging(void)
{
	char *memory = alike();

	look_up(memory);
	wait_for_ksm(memory);
	usleep(300000);
	need_held(memory, "mergeable");
	set_ksm("run", "0");
}

/* By the lookup each address gets a page of its own, and keeps it. */
static void merged(void)
{
	char *memory = alike();

	wait_for_ksm(memory);
	for (size_t i = 0; i < PAGES; i++)
		copied(memory + i * PAGE_SIZE, "merged");
	look_up(memory);
	usleep(300000);
	need_held(memory, "merged");
	touch(memory, SIZE);
	need_held(memory, "merged and written");
	set_ksm("run", "0");
}

/* The other memory is not looked up, and is swapped out. */
static void paged_out(void)
{
	char *memory = anonymous(), *other = anonymous();
	size_t gone = 0;

	look_up(memory);
	for (int i = 0; i < 3; i++)
		need(!madvise(memory, SIZE, MADV_PAGEOUT) && !madvise(other, SIZE, MADV_PAGEOUT),
		     "MADV_PAGEOUT");
	for (size_t at = 0; at < SIZE; at += PAGE_SIZE)
		gone += !(kernels_entry(other + at) & PRESENT);
	for (size_t at = 0; at < SIZE; at += PAGE_SIZE)
		if (!(kernels_entry(other + at) & PRESENT))
			quiet(other + at, "swapped out");
	need(gone > PAGES / 2, "%zu other pages are swapped out", gone);
	need_held(memory, "paged out");
}

/* ------------------------------------------------------------------------ */

static const struct {
	const char *name;
	const char *wants;
	void (*run)(void);
} tests[] = {
	{"flags", "quiet", flags},
	{"soft-dirty", "quiet", soft_dirty},
	{"soft-dirty-beside", "quiet", soft_dirty_beside},
	{"wp-async", "quiet", wp_async},
	{"wp", "quiet", wp},
	{"rwp", "quiet", rwp},
	{"missing", "quiet", missing},
	{"wp-forked", "quiet", wp_forked},
	{"ahead-of-wp", "quiet", ahead_of_wp},
	{"written-after", "held", written_after},
	{"forked", "held", forked},
	{"mapped-over", "held", mapped_over},
	{"unprotected", "held", unprotected},
	{"merging", "held", merging},
	{"merged", "held", merged},
	{"paged-out", "held", paged_out},
};

static int list(const char *wants)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (!wants || !strcmp(tests[i].wants, wants))
			puts(tests[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "list"))
		return list(argc > 2 ? argv[2] : NULL);
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(tests); i++) {
		if (strcmp(argv[1], tests[i].name) != 0)
			continue;
		running = tests[i].name;
		pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
		kernels = (int)raw(SYS_openat, AT_FDCWD, (long)"/proc/self/pagemap",
				   O_RDONLY | O_CLOEXEC, 0);
		need(pagemap >= 0 && kernels >= 0, "open pagemap");
		tests[i].run();
		return 0;
	}
	fprintf(stderr, "usage: watched NAME | watched list [quiet|held]\n");
	return 2;
}
