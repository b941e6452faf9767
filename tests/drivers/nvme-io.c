/*
 * nvme-io [OPTION...] BDF
 *
 * A driver for QEMU's NVMe controller (1b36:0010), written like legacy no-IOMMU
 * drivers: queues, PRP lists and data are in memory whose physical addresses
 * were looked up once. It overwrites the disk from its beginning, so it refuses
 * other controllers.
 *
 *   --transfers N      reads and writes together (default 10000)
 *   --memory KIND      memory for the data: small (4 KiB pages), huge (2 MiB
 *                      pages) or both (default)
 *   --storm            a second process moves all memory all the time
 *   --out-only         DMA out of tested memory only. What the device writes
 *                      to, and its queues and lists, are in memory that
 *                      certainly stays where it is (held.h). For runs that are
 *                      meant to fail and must not crash the machine
 *
 * Each write of 4 to 32 KiB is followed by a read of the same blocks. Every word
 * that is read must be the right function of the block's number and of the number
 * of writes. A command that fails counts as corrupted, and so does a command that
 * never completes, as when the queue is not where the controller expects it.
 *
 * Exit status: 0 all data right, 1 some wrong, 2 could not run.
 */
#define _GNU_SOURCE
#include "held.h"
#include "legacy.h"
#include "storm.h"

#include <errno.h>
#include <getopt.h>
#include <linux/vfio.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NVME_ID	  0x1b360010
#define NAMESPACE 1

#define QUEUE_ENTRIES 64
#define SLOTS	      32 /* commands under way at once */
#define SLOT_PAGES    8	 /* 32 KiB, the largest transfer */
#define SLOT_BLOCKS   64 /* the slot's own part of the disk, in blocks of 4 KiB */
#define TIMEOUT_S     20

/* The controller's pages, whatever the kernel's are. */
#define NVME_PAGE 4096UL

/* ---- memory for the device --------------------------------------------- */

enum memory_kind { SMALL, LARGE, HELD };

struct memory {
	uint8_t *va;
	uint64_t *pa; /* of each 4 KiB */
};

static uint8_t *map_memory(size_t size, enum memory_kind kind)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
	void *va;

	if (kind == HELD)
		return held_alloc(size);
	if (kind == LARGE) {
		size = (size + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1);
		flags |= MAP_HUGETLB;
	}
	va = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (va == MAP_FAILED)
		return NULL;
	memset(va, 0, size);
	/* Drivers do so, as they expect that locked pages do not move. */
	if (kind == SMALL)
		mlock(va, size);
	return va;
}

/* A huge page is contiguous, so drivers look up only the address of its start. */
static int look_up(struct memory *memory, size_t pages, enum memory_kind kind)
{
	size_t step = kind == LARGE ? HUGE_SIZE / NVME_PAGE : 1;

	for (size_t i = 0; i < pages; i++) {
		if (i % step == 0)
			memory->pa[i] = legacy_virt_to_phys(memory->va + i * NVME_PAGE);
		else
			memory->pa[i] = memory->pa[i - 1] + NVME_PAGE;
		if (!memory->pa[i])
			return -1;
	}
	return 0;
}

static int allocate(struct memory *memory, size_t pages, enum memory_kind kind)
{
	memory->pa = calloc(pages, sizeof(*memory->pa));
	memory->va = map_memory(pages * NVME_PAGE, kind);
	if (!memory->pa || !memory->va)
		return legacy_error("%zu pages of memory", pages);
	return look_up(memory, pages, kind);
}

static struct memory part(const struct memory *memory, size_t page)
{
	return (struct memory){memory->va + page * NVME_PAGE, memory->pa + page};
}

/* ---- the controller ---------------------------------------------------- */

#define REG_CAP	      0x00
#define REG_CC	      0x14
#define REG_CSTS      0x1c
#define REG_AQA	      0x24
#define REG_ASQ	      0x28
#define REG_ACQ	      0x30
#define REG_DOORBELLS 0x1000

#define CC_ENABLE      1U
#define CC_ENTRY_SIZES (4U << 20 | 6U << 16) /* 16 and 64 bytes */
#define CSTS_READY     1U

enum opcode { WRITE = 0x01, READ = 0x02 };
enum admin_opcode { CREATE_SQ = 0x01, CREATE_CQ = 0x05, IDENTIFY = 0x06 };
enum identify { IDENTIFY_NAMESPACE, IDENTIFY_CONTROLLER };

struct command {
	uint8_t opcode;
	uint8_t flags;
	uint16_t id;
	uint32_t nsid;
	uint64_t reserved;
	uint64_t metadata;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10[6];
};

struct completion {
	uint32_t result;
	uint32_t reserved;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t id;
	uint16_t status; /* bit 0 is the phase */
};

_Static_assert(sizeof(struct command) == 64, "as the controller has it");
_Static_assert(sizeof(struct completion) == 16, "as the controller has it");

struct queue {
	struct command *commands;
	volatile struct completion *completions;
	volatile uint32_t *sq_doorbell;
	volatile uint32_t *cq_doorbell;
	unsigned int tail;
	unsigned int head;
	unsigned int phase;
};

struct nvme {
	struct legacy_device dev;
	volatile uint8_t *bar;
	struct queue admin;
	struct queue io;
	struct memory memory; /* for the queues, and a page for IDENTIFY */
	unsigned int block_shift;
	uint64_t blocks;
};

enum { ADMIN_SQ, ADMIN_CQ, IO_SQ, IO_CQ, IDENTIFY_PAGE, NVME_PAGES };

static volatile uint32_t *reg32(const struct nvme *nvme, size_t offset)
{
	return (volatile uint32_t *)(nvme->bar + offset);
}

static volatile uint64_t *reg64(const struct nvme *nvme, size_t offset)
{
	return (volatile uint64_t *)(nvme->bar + offset);
}

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static int wait_ready(const struct nvme *nvme, uint32_t ready)
{
	time_t deadline = now() + TIMEOUT_S;

	while ((*reg32(nvme, REG_CSTS) & CSTS_READY) != ready) {
		if (now() > deadline) {
			errno = ETIMEDOUT;
			return legacy_error("waiting for ready = %u", ready);
		}
		sched_yield();
	}
	return 0;
}

/* After this the controller accesses no memory. */
static int disable(const struct nvme *nvme)
{
	*reg32(nvme, REG_CC) = 0;
	return wait_ready(nvme, 0);
}

static void init_queue(struct nvme *nvme, struct queue *queue, unsigned int id,
		       unsigned int first_page)
{
	size_t stride = 4UL << (*reg64(nvme, REG_CAP) >> 32 & 0xf);

	queue->commands = (void *)part(&nvme->memory, first_page).va;
	queue->completions = (void *)part(&nvme->memory, first_page + 1).va;
	queue->sq_doorbell = reg32(nvme, REG_DOORBELLS + 2 * id * stride);
	queue->cq_doorbell = reg32(nvme, REG_DOORBELLS + (2 * id + 1) * stride);
	queue->tail = 0;
	queue->head = 0;
	queue->phase = 1;
}

static int enable(struct nvme *nvme)
{
	if (disable(nvme) < 0)
		return -1;
	init_queue(nvme, &nvme->admin, 0, ADMIN_SQ);
	*reg32(nvme, REG_AQA) = (QUEUE_ENTRIES - 1) << 16 | (QUEUE_ENTRIES - 1);
	*reg64(nvme, REG_ASQ) = nvme->memory.pa[ADMIN_SQ];
	*reg64(nvme, REG_ACQ) = nvme->memory.pa[ADMIN_CQ];
	*reg32(nvme, REG_CC) = CC_ENTRY_SIZES | CC_ENABLE;
	return wait_ready(nvme, CSTS_READY);
}

static void put(struct queue *queue, const struct command *command)
{
	queue->commands[queue->tail] = *command;
	queue->tail = (queue->tail + 1) % QUEUE_ENTRIES;
}

static void ring(struct queue *queue)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*queue->sq_doorbell = queue->tail;
}

/* Gets the next completion, if there is one. */
static bool get(struct queue *queue, uint16_t *id, uint16_t *status)
{
	volatile struct completion *completion = &queue->completions[queue->head];
	uint16_t word = completion->status;

	if ((word & 1) != queue->phase)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*id = completion->id;
	*status = word >> 1;
	queue->head = (queue->head + 1) % QUEUE_ENTRIES;
	if (queue->head == 0)
		queue->phase ^= 1;
	*queue->cq_doorbell = queue->head;
	return true;
}

static int admin(struct nvme *nvme, const struct command *command)
{
	time_t deadline = now() + TIMEOUT_S;
	uint16_t id, status;

	put(&nvme->admin, command);
	ring(&nvme->admin);
	while (!get(&nvme->admin, &id, &status)) {
		if (now() > deadline) {
			errno = ETIMEDOUT;
			return legacy_error("admin command %#x", command->opcode);
		}
		sched_yield();
	}
	if (status) {
		errno = EIO;
		return legacy_error("admin command %#x, status %#x", command->opcode, status);
	}
	return 0;
}

static const uint8_t *identify(struct nvme *nvme, enum identify what)
{
	struct command command = {
		.opcode = IDENTIFY,
		.nsid = what == IDENTIFY_NAMESPACE ? NAMESPACE : 0,
		.prp1 = nvme->memory.pa[IDENTIFY_PAGE],
		.cdw10 = {what},
	};

	return admin(nvme, &command) < 0 ? NULL : part(&nvme->memory, IDENTIFY_PAGE).va;
}

static int identify_all(struct nvme *nvme)
{
	const uint8_t *data = identify(nvme, IDENTIFY_CONTROLLER);
	unsigned int format;

	if (!data)
		return -1;
	fprintf(stderr, "nvme-io: %.40s\n", (const char *)data + 24);
	/* The largest transfer, as a power of two of pages; 0: no limit. */
	if (data[77] && 1U << data[77] < SLOT_PAGES) {
		errno = EMSGSIZE;
		return legacy_error("the controller's largest transfer");
	}
	data = identify(nvme, IDENTIFY_NAMESPACE);
	if (!data)
		return -1;
	memcpy(&nvme->blocks, data, sizeof(nvme->blocks));
	format = data[26] & 0xf;
	nvme->block_shift = data[128 + 4 * format + 2];
	if (nvme->blocks << nvme->block_shift < SLOTS * SLOT_BLOCKS * NVME_PAGE) {
		errno = ENOSPC;
		return legacy_error("%llu blocks", (unsigned long long)nvme->blocks);
	}
	return 0;
}

static int create_io_queues(struct nvme *nvme)
{
	const uint32_t id_and_size = (QUEUE_ENTRIES - 1) << 16 | 1;
	const uint32_t contiguous = 1;
	struct command cq = {
		.opcode = CREATE_CQ,
		.prp1 = nvme->memory.pa[IO_CQ],
		.cdw10 = {id_and_size, contiguous},
	};
	struct command sq = {
		.opcode = CREATE_SQ,
		.prp1 = nvme->memory.pa[IO_SQ],
		.cdw10 = {id_and_size, 1U << 16 | contiguous},
	};

	init_queue(nvme, &nvme->io, 1, IO_SQ);
	return admin(nvme, &cq) < 0 ? -1 : admin(nvme, &sq);
}

static int nvme_open(struct nvme *nvme, const char *bdf, enum memory_kind queue_memory)
{
	uint32_t id;

	if (legacy_open(&nvme->dev, bdf) < 0 || legacy_pci_id(&nvme->dev, &id) < 0)
		return -1;
	if (id != NVME_ID) {
		errno = ENODEV;
		return legacy_error("%s is not QEMU's NVMe controller", bdf);
	}
	nvme->bar = legacy_map_bar(&nvme->dev, VFIO_PCI_BAR0_REGION_INDEX);
	if (!nvme->bar || legacy_enable_bus_master(&nvme->dev) < 0)
		return -1;
	if (allocate(&nvme->memory, NVME_PAGES, queue_memory) < 0)
		return -1;
	if (enable(nvme) < 0 || identify_all(nvme) < 0)
		return -1;
	return create_io_queues(nvme);
}

/* ---- transfers --------------------------------------------------------- */

struct slot {
	struct memory data;   /* under test */
	struct memory answer; /* for reads: under test, too, or held */
	struct memory list;   /* of PRPs */
	size_t first;	      /* block of 4 KiB, and how many */
	size_t count;
	bool done;
	bool failed;
};

struct io {
	struct nvme *nvme;
	struct slot slots[SLOTS];
	uint64_t generation;
	unsigned long transfers;
	unsigned long corrupted;
	bool dead; /* the controller does not answer any more */
};

/* Every word depends on its block, the generation and its place in the block. */
static uint64_t first_word(uint64_t block, uint64_t generation)
{
	return (block << 40 ^ generation << 8) * 0x9e3779b97f4a7c15 + block;
}

static void fill(uint64_t *words, uint64_t block, uint64_t generation)
{
	uint64_t word = first_word(block, generation);

	for (size_t i = 0; i < NVME_PAGE / sizeof(*words); i++, word += 0x0101010101010101)
		words[i] = word;
}

static bool as_filled(const uint64_t *words, uint64_t block, uint64_t generation)
{
	uint64_t word = first_word(block, generation);
	uint64_t difference = 0;

	for (size_t i = 0; i < NVME_PAGE / sizeof(*words); i++, word += 0x0101010101010101)
		difference |= words[i] ^ word;
	return !difference;
}

static uint64_t *page_of(const struct memory *memory, size_t i)
{
	return (uint64_t *)(memory->va + i * NVME_PAGE);
}

/* A command has room for two addresses. More of them need a list. */
static void set_prps(struct command *command, const struct memory *data, size_t count,
		     const struct memory *list)
{
	command->prp1 = data->pa[0];
	if (count == 2)
		command->prp2 = data->pa[1];
	if (count <= 2)
		return;
	memcpy(list->va, &data->pa[1], (count - 1) * sizeof(*data->pa));
	command->prp2 = list->pa[0];
}

static void submit(struct io *io, size_t n, enum opcode opcode)
{
	struct slot *slot = &io->slots[n];
	unsigned int per_page = NVME_PAGE >> io->nvme->block_shift;
	struct command command = {
		.opcode = opcode,
		.id = n,
		.nsid = NAMESPACE,
		.cdw10 = {slot->first * per_page, 0, slot->count * per_page - 1},
	};

	slot->done = false;
	set_prps(&command, opcode == WRITE ? &slot->data : &slot->answer, slot->count, &slot->list);
	put(&io->nvme->io, &command);
}

/* False if this cannot be the answer to a command. */
static bool complete(struct io *io, uint16_t id, uint16_t status)
{
	if (id >= SLOTS || io->slots[id].done)
		return false;
	io->slots[id].done = true;
	if (status)
		io->slots[id].failed = true;
	return true;
}

static void fail_rest(struct io *io, const char *why)
{
	fprintf(stderr, "nvme-io: %s\n", why);
	io->dead = true;
	for (size_t n = 0; n < SLOTS; n++)
		if (!io->slots[n].done)
			io->slots[n].failed = true;
}

/* Runs one command for each slot. */
static void run_batch(struct io *io, enum opcode opcode)
{
	time_t deadline = now() + TIMEOUT_S;
	size_t pending = SLOTS;
	uint16_t id, status;

	for (size_t n = 0; n < SLOTS; n++)
		submit(io, n, opcode);
	ring(&io->nvme->io);
	while (pending && !io->dead) {
		if (get(&io->nvme->io, &id, &status)) {
			if (complete(io, id, status))
				pending--;
			else
				fail_rest(io, "a completion that makes no sense");
		} else if (now() > deadline) {
			fail_rest(io, "a command does not complete");
		} else {
			sched_yield();
		}
	}
}

static void prepare_write(struct slot *slot, size_t region, uint64_t generation)
{
	static const size_t sizes[] = {1, 2, 4, SLOT_PAGES};

	slot->failed = false;
	slot->count = sizes[random() % 4];
	slot->first = region * SLOT_BLOCKS + random() % (SLOT_BLOCKS - slot->count + 1);
	for (size_t i = 0; i < slot->count; i++)
		fill(page_of(&slot->data, i), slot->first + i, generation);
}

static bool read_back_right(const struct slot *slot, uint64_t generation)
{
	for (size_t i = 0; i < slot->count; i++)
		if (!as_filled(page_of(&slot->answer, i), slot->first + i, generation))
			return false;
	return true;
}

static void count_writes(struct io *io)
{
	for (size_t n = 0; n < SLOTS; n++) {
		io->transfers++;
		if (io->slots[n].failed)
			io->corrupted++;
	}
}

static void count_reads(struct io *io)
{
	for (size_t n = 0; n < SLOTS; n++) {
		io->transfers++;
		if (io->slots[n].failed || !read_back_right(&io->slots[n], io->generation))
			io->corrupted++;
	}
}

static void write_and_read(struct io *io)
{
	io->generation++;
	for (size_t n = 0; n < SLOTS; n++)
		prepare_write(&io->slots[n], n, io->generation);
	run_batch(io, WRITE);
	count_writes(io);
	if (io->dead)
		return;
	/* If no DMA happens, the data that were written must not be found here. */
	for (size_t n = 0; n < SLOTS; n++)
		memset(io->slots[n].answer.va, 0, io->slots[n].count * NVME_PAGE);
	run_batch(io, READ);
	count_reads(io);
}

/* ---- the run ----------------------------------------------------------- */

struct options {
	const char *bdf;
	unsigned long transfers;
	bool small, huge, storm, out_only;
};

/* With both kinds of data memory, every other slot has huge pages. */
static int allocate_data(const struct options *options, struct io *io)
{
	const size_t pages = SLOTS * SLOT_PAGES;
	struct memory small, huge;

	if (options->small && allocate(&small, pages, SMALL) < 0)
		return -1;
	if (options->huge && allocate(&huge, pages, LARGE) < 0)
		return -1;
	for (size_t n = 0; n < SLOTS; n++) {
		bool in_huge = options->huge && (!options->small || n % 2);

		io->slots[n].data = part(in_huge ? &huge : &small, n * SLOT_PAGES);
		io->slots[n].answer = io->slots[n].data;
	}
	return 0;
}

static int allocate_rest(const struct options *options, struct io *io)
{
	struct memory lists, answers;

	if (allocate(&lists, SLOTS, options->out_only ? HELD : SMALL) < 0)
		return -1;
	for (size_t n = 0; n < SLOTS; n++)
		io->slots[n].list = part(&lists, n);
	if (!options->out_only)
		return 0;
	if (allocate(&answers, SLOTS * SLOT_PAGES, HELD) < 0)
		return -1;
	for (size_t n = 0; n < SLOTS; n++)
		io->slots[n].answer = part(&answers, n * SLOT_PAGES);
	return 0;
}

static void transfer_all(struct io *io, unsigned long transfers)
{
	time_t start = now();

	while (io->transfers < transfers && !io->dead)
		write_and_read(io);
	/* The controller must not write to this memory after this process has ended. */
	disable(io->nvme);
	fprintf(stderr, "nvme-io: %ld seconds\n", (long)(now() - start));
}

static int run(const struct options *options)
{
	static struct nvme nvme;
	static struct io io = {.nvme = &nvme};
	struct storm storm;
	int ret;

	if (options->storm && storm_fork(&storm) < 0)
		return 2;
	ret = nvme_open(&nvme, options->bdf, options->out_only ? HELD : SMALL);
	if (ret == 0)
		ret = allocate_data(options, &io);
	if (ret == 0)
		ret = allocate_rest(options, &io);
	if (ret == 0 && options->storm)
		ret = storm_begin(&storm);
	if (ret == 0)
		transfer_all(&io, options->transfers);
	if (options->storm)
		storm_end(&storm);
	legacy_close(&nvme.dev);
	if (ret < 0)
		return 2;
	printf("%lu transfers, %lu corrupted\n", io.transfers, io.corrupted);
	return io.corrupted ? 1 : 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: nvme-io [--transfers N] [--memory small|huge|both]\n"
			"               [--storm] [--out-only] BDF\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"transfers", required_argument, NULL, 't'},
		{"memory", required_argument, NULL, 'm'},
		{"storm", no_argument, NULL, 's'},
		{"out-only", no_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {.transfers = 10000, .small = true, .huge = true};
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 't':
			options.transfers = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			options.small = strcmp(optarg, "huge") != 0;
			options.huge = strcmp(optarg, "small") != 0;
			break;
		case 's':
			options.storm = true;
			break;
		case 'o':
			options.out_only = true;
			break;
		default:
			return usage();
		}
	}
	if (optind != argc - 1)
		return usage();
	options.bdf = argv[optind];
	return run(&options);
}
