/*
 * edu-dma [OPTION...] BDF
 *
 * A driver for QEMU's teaching device "edu" (1234:11e8), written like legacy
 * no-IOMMU drivers: it looks up the physical addresses of memory of every kind
 * once, in pagemap, and from then on lets the device read and write there. It
 * compares the data of every transfer.
 *
 *   --kinds A,B,...  these kinds of memory only; "list" prints their names
 *   --all            also the kinds that work only if a lookup pins the page.
 *                    Without the library they fail, and "forked" makes all
 *                    other private memory fail, too
 *   --pages N        pages of each kind (default 2)
 *   --rounds N       transfers out of and into each page (default 1)
 *   --early          look up every second page before any device is open,
 *                    as DPDK does
 *   --again          look up every page again before each transfer; a different
 *                    answer than at first counts as corrupted
 *   --uio            the device is bound to a driver of UIO, not to vfio-pci
 *   --storm          a second process moves all memory all the time
 *   --out-only       DMA out of memory only, so that the device writes to no
 *                    stale address: for runs that are meant to fail and must
 *                    not crash the machine
 *
 * Exit status: 0 all data right, 1 some wrong, 2 could not run.
 *
 * A transfer takes edu 100 ms. Its buffer cannot be mapped. To see what it read
 * from memory, the driver has it write to a page that certainly stays where it is
 * (held.h). DMA into a page follows only if the DMA out of it was right just before.
 */
#define _GNU_SOURCE
#include "held.h"
#include "legacy.h"
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif
#ifndef MFD_HUGE_1GB
#define MFD_HUGE_1GB (30U << 26)
#endif
#define GIANT_SIZE (1UL << 30)

#define MAX_PAGES 16
#define PAGE_MOST 65536 /* the largest base page that a kernel has */

/* ---- the device -------------------------------------------------------- */

#define EDU_ID		0x123411e8
#define EDU_DMA_SOURCE	0x80
#define EDU_DMA_TARGET	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_START	0x1
#define EDU_DMA_TO_RAM	0x2
#define EDU_BUFFER	0x40000 /* the device's address of its buffer */
#define BLOCK		4096	/* its size: what of a page is transferred */

/* Older versions of QEMU refuse a transfer that ends where the buffer ends. */
#define DMA_LENGTH (BLOCK - 8)

#define DMA_TIMEOUT_MS 10000

struct edu {
	struct legacy_device dev;
	volatile uint8_t *bar;
	uint8_t *bounce; /* a page that stays where it is */
	uint64_t bounce_pa;
};

static int edu_open(struct edu *edu, const char *bdf, bool uio)
{
	uint32_t id;

	if ((uio ? legacy_open_uio : legacy_open)(&edu->dev, bdf) < 0 ||
	    legacy_pci_id(&edu->dev, &id) < 0)
		return -1;
	if (id != EDU_ID) {
		errno = ENODEV;
		return legacy_error("%s is no edu", bdf);
	}
	edu->bar = legacy_map_bar(&edu->dev, VFIO_PCI_BAR0_REGION_INDEX);
	edu->bounce = held_alloc(PAGE_SIZE);
	if (!edu->bar || !edu->bounce)
		return -1;
	edu->bounce_pa = legacy_virt_to_phys(edu->bounce);
	return edu->bounce_pa ? legacy_enable_bus_master(&edu->dev) : -1;
}

static volatile uint64_t *edu_register(const struct edu *edu, size_t offset)
{
	return (volatile uint64_t *)(edu->bar + offset);
}

static int edu_dma(struct edu *edu, uint64_t from, uint64_t to, uint64_t direction)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	*edu_register(edu, EDU_DMA_SOURCE) = from;
	*edu_register(edu, EDU_DMA_TARGET) = to;
	*edu_register(edu, EDU_DMA_COUNT) = DMA_LENGTH;
	*edu_register(edu, EDU_DMA_COMMAND) = EDU_DMA_START | direction;
	for (int i = 0; i < DMA_TIMEOUT_MS; i++) {
		if (!(*edu_register(edu, EDU_DMA_COMMAND) & EDU_DMA_START))
			return 0;
		nanosleep(&ms, NULL);
	}
	errno = ETIMEDOUT;
	return legacy_error("DMA");
}

static int edu_read_ram(struct edu *edu, uint64_t pa)
{
	return edu_dma(edu, pa, EDU_BUFFER, 0);
}

static int edu_write_ram(struct edu *edu, uint64_t pa)
{
	return edu_dma(edu, EDU_BUFFER, pa, EDU_DMA_TO_RAM);
}

/* ---- kinds of memory --------------------------------------------------- */

enum {
	OUT_ONLY = 1,  /* the program must not, or does not, write to it */
	UNWRITTEN = 2, /* ... or not before the lookup */
	HUGE = 4,      /* one lookup gives the address of all of it */
	NEEDS_PIN = 8, /* gets another page after the lookup, unless pinned */
};

struct kind {
	const char *name;
	unsigned int flags;
	/* Returns `size` bytes of such memory, or NULL with errno set. */
	uint8_t *(*make)(size_t size);
	size_t size; /* of a huge page */
	/* What the program does between the lookup and the first transfer. */
	void (*then)(uint8_t *va, size_t size);
};

static size_t pages_per_kind = 2;

/* In main()'s frame, as a stack page must outlive all transfers. */
static uint8_t *stack_memory;

static uint8_t *map(size_t size, int protection, int flags, int fd)
{
	void *va = mmap(NULL, size, protection, flags, fd, 0);

	return va == MAP_FAILED ? NULL : va;
}

static uint8_t *map_anonymous(size_t size, int flags)
{
	return map(size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);
}

/* Maps a new file of that size and closes it. */
static uint8_t *map_file(int fd, size_t size, int flags)
{
	uint8_t *va = NULL;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, size) == 0)
		va = map(size, PROT_READ | PROT_WRITE, flags, fd);
	close(fd);
	return va;
}

static uint8_t *make_private(size_t size)
{
	return map_anonymous(size, MAP_PRIVATE);
}

static uint8_t *make_shared(size_t size)
{
	return map_anonymous(size, MAP_SHARED);
}

static uint8_t *make_stack(size_t size)
{
	(void)size;
	return stack_memory;
}

static uint8_t *make_heap(size_t size)
{
	return aligned_alloc(PAGE_SIZE, size);
}

static uint8_t *make_memfd(size_t size)
{
	return map_file(memfd_create("edu-dma", MFD_CLOEXEC), size, MAP_SHARED);
}

static int temporary_file(const char *directory)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/edu-dma-XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static uint8_t *make_tmpfs(size_t size)
{
	return map_file(temporary_file("/dev/shm"), size, MAP_SHARED);
}

/* Uses a mount of its own, which is detached as soon as the file is open. */
static uint8_t *make_hugetlbfs(size_t size)
{
	char directory[] = "/tmp/edu-dma-XXXXXX";
	int fd = -1;

	if (!mkdtemp(directory))
		return NULL;
	if (mount("none", directory, "hugetlbfs", 0, "pagesize=2M") == 0) {
		fd = temporary_file(directory);
		umount2(directory, MNT_DETACH);
	}
	rmdir(directory);
	return map_file(fd, size, MAP_SHARED);
}

static uint8_t *make_memfd_2m(size_t size)
{
	return map_file(memfd_create("edu-dma", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB), size,
			MAP_SHARED);
}

static uint8_t *make_memfd_1g(size_t size)
{
	return map_file(memfd_create("edu-dma", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_1GB), size,
			MAP_SHARED);
}

static uint8_t *make_transparent_huge(size_t size)
{
	uint8_t *va = map_anonymous(size + HUGE_SIZE, MAP_PRIVATE);

	if (!va)
		return NULL;
	va += HUGE_SIZE - (uintptr_t)va % HUGE_SIZE;
	return madvise(va, size, MADV_HUGEPAGE) < 0 ? NULL : va;
}

static uint8_t *make_sysv(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
	void *va;

	if (id < 0)
		return NULL;
	va = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL); /* once the last process detaches */
	return va == (void *)-1 ? NULL : va;
}

static uint8_t *make_read_only(size_t size)
{
	uint8_t *va = make_private(size);

	if (!va)
		return NULL;
	memset(va, 0x17, size);
	return mprotect(va, size, PROT_READ) < 0 ? NULL : va;
}

/* Filled by write(2): this process only reads through the mapping. */
static uint8_t *make_private_file(size_t size)
{
	char block[BLOCK];
	int fd = temporary_file("/tmp");
	uint8_t *va = NULL;
	size_t done;

	memset(block, 0x71, sizeof(block));
	for (done = 0; fd >= 0 && done < size; done += sizeof(block))
		if (write(fd, block, sizeof(block)) != sizeof(block))
			break;
	if (fd >= 0 && done == size)
		va = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	if (fd >= 0)
		close(fd);
	return va;
}

/* The program's own file, mapped like code. */
static uint8_t *make_code(size_t size)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint8_t *va = fd < 0 ? NULL : map(size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd);

	if (fd >= 0)
		close(fd);
	return va;
}

/* No child shares it, as in qatlib. */
static uint8_t *make_unforked(size_t size)
{
	uint8_t *va = make_private(size);

	return va && madvise(va, size, MADV_DONTFORK) < 0 ? NULL : va;
}

/* So far the program has only read it, so the page is not its own. */
static void then_write(uint8_t *va, size_t size)
{
	memset(va, 0x33, size);
}

/* After fork(), the process that writes first gets a copy of the page. */
static void then_fork(uint8_t *va, size_t size)
{
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	memset(va, 0x33, size);
}

/* The kernel merges these equal pages into one, and splits it when they are written. */
static void then_merge(uint8_t *va, size_t size)
{
	if (madvise(va, size, MADV_MERGEABLE) < 0)
		legacy_error("MADV_MERGEABLE");
}

static const struct kind kinds[] = {
	{"private-anonymous", 0, make_private, 0, NULL},
	{"shared-anonymous", 0, make_shared, 0, NULL},
	{"stack", 0, make_stack, 0, NULL},
	{"heap", 0, make_heap, 0, NULL},
	{"memfd", 0, make_memfd, 0, NULL},
	{"tmpfs-file", 0, make_tmpfs, 0, NULL},
	{"hugetlbfs-file", HUGE, make_hugetlbfs, HUGE_SIZE, NULL},
	{"memfd-2m", HUGE, make_memfd_2m, HUGE_SIZE, NULL},
	{"memfd-1g", HUGE, make_memfd_1g, GIANT_SIZE, NULL},
	{"transparent-huge", 0, make_transparent_huge, HUGE_SIZE, NULL},
	{"sysv", 0, make_sysv, 0, NULL},
	{"read-only", OUT_ONLY, make_read_only, 0, NULL},
	{"zero-page", OUT_ONLY, make_private, 0, NULL},
	{"private-file", OUT_ONLY, make_private_file, 0, NULL},
	{"code", OUT_ONLY, make_code, 0, NULL},
	{"unforked", 0, make_unforked, 0, then_fork},
	{"zero-page-written", UNWRITTEN | NEEDS_PIN, make_private, 0, then_write},
	{"private-file-written", UNWRITTEN | NEEDS_PIN, make_private_file, 0, then_write},
	{"merged", NEEDS_PIN, make_private, 0, then_merge},
	{"forked", NEEDS_PIN, make_private, 0, then_fork},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- pages under test -------------------------------------------------- */

struct page {
	uint8_t *va;
	uint64_t pa;
	uint8_t *expected; /* what the page holds */
};

struct buffer {
	const struct kind *kind;
	uint8_t *va;
	size_t size;
	struct page pages[MAX_PAGES];
	unsigned long transfers;
	unsigned long corrupted;
};

/* The first page, the last one, and others at equal distances in between. */
static uint8_t *page_address(const struct buffer *buffer, size_t i)
{
	size_t last = buffer->size / PAGE_SIZE - 1;

	return buffer->va + (pages_per_kind < 2 ? 0 : i * last / (pages_per_kind - 1)) * PAGE_SIZE;
}

static int make_buffer(struct buffer *buffer, const struct kind *kind)
{
	buffer->kind = kind;
	buffer->size = kind->size ? kind->size : pages_per_kind * PAGE_SIZE;
	buffer->va = kind->make(buffer->size);
	if (!buffer->va)
		return -1;
	for (size_t i = 0; i < pages_per_kind; i++) {
		struct page *page = &buffer->pages[i];

		page->va = page_address(buffer, i);
		page->expected = malloc(BLOCK);
		if (!page->expected)
			return -1;
		/* A page must be present before its address can be looked up. */
		if (!(kind->flags & (OUT_ONLY | UNWRITTEN)))
			memset(page->va, 0x55, BLOCK);
		memcpy(page->expected, page->va, BLOCK);
	}
	return 0;
}

static int look_up(struct buffer *buffer, size_t i)
{
	struct page *page = &buffer->pages[i];

	if ((buffer->kind->flags & HUGE) && i > 0)
		page->pa = buffer->pages[0].pa + (page->va - buffer->va);
	else
		page->pa = legacy_virt_to_phys(page->va);
	return page->pa ? 0 : -1;
}

/* The even pages, or the odd ones. */
static int look_up_half(struct buffer *buffers, size_t count, size_t odd)
{
	for (size_t n = 0; n < count; n++)
		for (size_t i = odd; i < pages_per_kind; i += 2)
			if (look_up(&buffers[n], i) < 0)
				return -1;
	return 0;
}

/* Fills a block with words that no other page and no earlier round has. */
static void fill(uint8_t *target)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < BLOCK; i += sizeof(state)) {
		state = state * 6364136223846793005 + 1442695040888963407;
		memcpy(target + i, &state, sizeof(state));
	}
}

static void count_transfer(struct buffer *buffer, const void *got, const struct page *page)
{
	buffer->transfers++;
	if (memcmp(got, page->expected, DMA_LENGTH) != 0)
		buffer->corrupted++;
}

/* Counts a transfer that cannot be right, and is not made. */
static void count_stale(struct buffer *buffer)
{
	buffer->transfers++;
	buffer->corrupted++;
}

/* DMA out of the page into the device, and from there to the bounce page. */
static int transfer_out(struct edu *edu, struct buffer *buffer, struct page *page)
{
	if (!(buffer->kind->flags & OUT_ONLY)) {
		fill(page->expected);
		memcpy(page->va, page->expected, BLOCK);
	}
	memset(edu->bounce, 0xaa, BLOCK);
	if (edu_read_ram(edu, page->pa) < 0 || edu_write_ram(edu, edu->bounce_pa) < 0)
		return -1;
	count_transfer(buffer, edu->bounce, page);
	return 0;
}

/* DMA back into the page. The device's buffer still has its data. */
static int transfer_in(struct edu *edu, struct buffer *buffer, struct page *page)
{
	memset(page->va, 0xaa, BLOCK);
	if (edu_write_ram(edu, page->pa) < 0)
		return -1;
	count_transfer(buffer, page->va, page);
	return 0;
}

static int transfer(struct edu *edu, struct buffer *buffer, struct page *page, bool out_only)
{
	unsigned long corrupted = buffer->corrupted;

	if (transfer_out(edu, buffer, page) < 0)
		return -1;
	if (out_only || (buffer->kind->flags & OUT_ONLY) || buffer->corrupted > corrupted)
		return 0;
	return transfer_in(edu, buffer, page);
}

/* ---- the run ----------------------------------------------------------- */

struct options {
	const char *bdf;
	const char *kinds;
	unsigned long rounds;
	bool all, early, again, storm, out_only, uio;
};

static bool named(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at += length)
		if ((at == list || at[-1] == ',') && (!at[length] || at[length] == ','))
			return true;
	return false;
}

static bool wanted(const struct options *options, const struct kind *kind)
{
	if (options->kinds)
		return named(options->kinds, kind->name);
	return options->all || !(kind->flags & NEEDS_PIN);
}

/* Skips kinds of memory that this machine does not have. */
static size_t make_buffers(const struct options *options, struct buffer *buffers)
{
	size_t count = 0;

	for (size_t i = 0; i < KINDS; i++) {
		if (!wanted(options, &kinds[i]))
			continue;
		if (make_buffer(&buffers[count], &kinds[i]) < 0)
			printf("%-22s not here: %s\n", kinds[i].name, strerror(errno));
		else
			count++;
	}
	return count;
}

static int prepare(const struct options *options, struct edu *edu, struct buffer *buffers,
		   size_t count)
{
	if (options->early && look_up_half(buffers, count, 0) < 0)
		return -1;
	if (edu_open(edu, options->bdf, options->uio) < 0)
		return -1;
	if (!options->early && look_up_half(buffers, count, 0) < 0)
		return -1;
	if (look_up_half(buffers, count, 1) < 0)
		return -1;
	for (size_t n = 0; n < count; n++)
		if (buffers[n].kind->then)
			buffers[n].kind->then(buffers[n].va, buffers[n].size);
	return 0;
}

static int transfer_round(const struct options *options, struct edu *edu, struct buffer *buffer)
{
	for (size_t i = 0; i < pages_per_kind; i++) {
		struct page *page = &buffer->pages[i];

		if (options->again && legacy_virt_to_phys(page->va) != page->pa)
			count_stale(buffer);
		else if (transfer(edu, buffer, page, options->out_only) < 0)
			return -1;
	}
	return 0;
}

static int transfer_all(const struct options *options, struct edu *edu, struct buffer *buffers,
			size_t count)
{
	for (unsigned long round = 0; round < options->rounds; round++)
		for (size_t n = 0; n < count; n++)
			if (transfer_round(options, edu, &buffers[n]) < 0)
				return -1;
	return 0;
}

static int report(const struct buffer *buffers, size_t count)
{
	unsigned long transfers = 0, corrupted = 0;

	for (size_t n = 0; n < count; n++) {
		printf("%-22s %lu transfers, %lu corrupted\n", buffers[n].kind->name,
		       buffers[n].transfers, buffers[n].corrupted);
		transfers += buffers[n].transfers;
		corrupted += buffers[n].corrupted;
	}
	printf("%lu transfers, %lu corrupted\n", transfers, corrupted);
	return corrupted ? 1 : 0;
}

static int run(const struct options *options)
{
	static struct buffer buffers[KINDS];
	struct storm storm;
	struct edu edu;
	size_t count;
	int ret;

	if (options->storm && storm_fork(&storm) < 0)
		return 2;
	count = make_buffers(options, buffers);
	if (!count) {
		fprintf(stderr, "edu-dma: no memory to test\n");
		return 2;
	}
	ret = prepare(options, &edu, buffers, count);
	if (ret == 0 && options->storm)
		ret = storm_begin(&storm);
	if (ret == 0)
		ret = transfer_all(options, &edu, buffers, count);
	if (options->storm)
		storm_end(&storm);
	return ret < 0 ? 2 : report(buffers, count);
}

static int list_kinds(void)
{
	for (size_t i = 0; i < KINDS; i++)
		printf("%s%s\n", kinds[i].name,
		       kinds[i].flags & NEEDS_PIN ? " (right only if pinned)" : "");
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: edu-dma [--kinds A,B,...|list] [--all] [--pages N] [--rounds N]\n"
			"               [--early] [--again] [--uio] [--storm] [--out-only] BDF\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"kinds", required_argument, NULL, 'k'}, {"all", no_argument, NULL, 'a'},
		{"pages", required_argument, NULL, 'p'}, {"rounds", required_argument, NULL, 'r'},
		{"early", no_argument, NULL, 'e'},	 {"again", no_argument, NULL, 'g'},
		{"storm", no_argument, NULL, 's'},	 {"out-only", no_argument, NULL, 'o'},
		{"uio", no_argument, NULL, 'u'},	 {NULL, 0, NULL, 0},
	};
	_Alignas(PAGE_MOST) uint8_t stack[MAX_PAGES * PAGE_MOST];
	struct options options = {.rounds = 1};
	int c;

	stack_memory = stack;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'k':
			options.kinds = optarg;
			break;
		case 'a':
			options.all = true;
			break;
		case 'p':
			pages_per_kind = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			options.rounds = strtoul(optarg, NULL, 0);
			break;
		case 'e':
			options.early = true;
			break;
		case 'g':
			options.again = true;
			break;
		case 's':
			options.storm = true;
			break;
		case 'o':
			options.out_only = true;
			break;
		case 'u':
			options.uio = true;
			break;
		default:
			return usage();
		}
	}
	if (options.kinds && !strcmp(options.kinds, "list"))
		return list_kinds();
	if (optind != argc - 1 || !pages_per_kind || pages_per_kind > MAX_PAGES)
		return usage();
	options.bdf = argv[optind];
	return run(&options);
}
