/*
 * model - compares the physical addresses that a program looked up with the truth
 *
 * A random sequence of steps maps memory, uses it, looks its addresses up and
 * releases it, in all ways that exist. After each step another process, the
 * observer, which does not use the library under test, reports where every page
 * really is. A page that was looked up ("told") must stay where it is until the
 * program releases it. After the last step nothing may be pinned any more.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PAGE_SHIFT 12
#define HUGE_SHIFT 21
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define HUGE_SIZE  (1UL << HUGE_SHIFT)

/* Bits of a pagemap entry */
#define PRESENT	  (1ULL << 63)
#define SWAPPED	  (1ULL << 62)
#define EXCLUSIVE (1ULL << 56) /* mapped only once */
#define PFN	  ((1ULL << 55) - 1)

/* main.c */

struct options {
	uint64_t seed, count, only;
	bool verbose, unprivileged, no_sysv;
};

/* The state of the process that performs sequences. Its parent reads it. */
struct progress {
	uint64_t seed;
	unsigned int step;
	char what[512]; /* the step does */
	pid_t worker;	/* changes when it becomes a daemon */
	bool is_done;
};

/* Prints what is wrong, unless silent, and ends the process. */
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *format, ...);

uint64_t random_bits(uint64_t *state);

/* look.c: lookups, as drivers make them */

enum way { OPEN_SEEK_READ, KEPT_PREAD, WAYS, INHERITED_PREAD };

/* True if this process keeps a descriptor of its pagemap open. */
bool look_is_kept(void);

/* Returns 0 or the errno of the call that failed. */
int try_look_up(enum way way, const char *va, size_t pages, uint64_t *entries);
void look_up(enum way way, const char *va, size_t pages, uint64_t *entries);

/* observer.c: the truth, as a process without the library sees it */

#define MAX_RANGES 32

/* Pages of 1 << shift bytes. Each has one entry, that of its first 4 KiB. */
struct range {
	uint64_t va;
	uint32_t pages;
	uint32_t shift;
};

/* In pages of 4 KiB, except for huge_free. */
struct account {
	uint64_t pinned; /* by the observed process */
	uint64_t huge_free;
};

enum look { LOOK, LOOK_AFTER_MOVING };

/* To be called once, before anything is looked up. */
void observer_start(void);

/*
 * Returns the entries of all ranges, one after the other. LOOK_AFTER_MOVING first moves all
 * pages to the other NUMA node.
 */
struct account observer_look(enum look how, pid_t pid, const struct range *ranges, size_t count,
			     uint64_t *entries);

/*
 * From now on accounts count what is pinned in the whole system, as no process's counter
 * has what io_uring pins. This costs some work on each processor.
 */
void observer_count_all(void);

/*
 * The observer maps the file of this process's descriptor fd. Returns the entries of its
 * pages of 1 << shift bytes whose bits are set in mask, before and after the observer has
 * moved all pages that can be moved.
 */
void observer_look_at_file(int fd, unsigned int shift, uint64_t mask, uint64_t *before,
			   uint64_t *after);

/* Has the observer change this process's memory or file. Returns 0 or an errno. */
enum act { PUNCH, TRUNCATE, ADVISE };
int observer_act(enum act what, int fd, uint64_t from, uint64_t len, int advice);

/* The main function of the observer. */
int observer_main(int fd);

/* memory.c: the memory of the program, and what was told of it */

#define MAX_AREAS	 24
#define MAX_PAGES	 512
#define MAX_OBJECTS	 8
#define MAX_OBJECT_PAGES 64

enum kind {
	PRIVATE,
	SHARED,
	MEMFD,
	TMPFS,
	PRIVATE_FILE,
	CODE,
	SYSV,
	THP,
	MALLOC,
	HEAP,
	HUGE_PRIVATE,
	HUGE_SHARED,
	HUGE_MEMFD,
	RESERVED,
	KINDS
};

/* Memory that can be mapped more than once. */
struct object {
	bool live;
	enum kind kind;
	int fd;	 /* -1: none, or closed */
	int shm; /* -1: not a System V segment */
	size_t pages;
	size_t max_pages;
	/* Told addresses whose mapping is gone while another one exists. 0: none. */
	uint64_t kept[MAX_OBJECT_PAGES];
	/* That mapping was unmapped quietly: only page tables show another mapping. */
	bool faint[MAX_OBJECT_PAGES];
	/* Something happened quietly to a page that was told. */
	bool doubtful[MAX_OBJECT_PAGES];
	/* Its last mapping was unmapped, not quietly: it is not pinned. */
	bool freed[MAX_OBJECT_PAGES];
};

/* A mapping or a part of one. Unused if it has no pages. */
struct area {
	char *va;
	size_t pages;
	unsigned int shift;
	enum kind kind;
	bool writable;
	bool barred; /* PROT_NONE now */
	bool shared;
	struct object *object;
	size_t offset; /* in the object, in pages */
	uint64_t told[MAX_PAGES];
	uint64_t seen[MAX_PAGES]; /* the true entries at the last look */
};

extern struct area areas[MAX_AREAS];
extern struct object objects[MAX_OBJECTS];

struct area *area_new(enum kind kind, char *va, size_t pages);
struct object *object_new(enum kind kind, size_t pages);
const char *kind_name(enum kind kind);
unsigned int kind_shift(enum kind kind);
size_t area_size(const struct area *area);

/* Makes [from, from + pages) an area of its own. NULL: too many areas. */
struct area *area_carve(struct area *area, size_t from, size_t pages);

/* Returns how many pages from the first on can be touched without SIGBUS. */
size_t area_backed(const struct area *area);

/* The page was looked up and is in this frame. */
void area_told(struct area *area, size_t page, uint64_t frame);

/* Returns the frame in which the page must be, or 0: see memory.c. */
uint64_t area_owed(const struct area *area, size_t page);

/*
 * The mapping or the pages are gone. "Quiet" means in a way that the library does not
 * see, or sees only later. Told pages may then stay pinned for a while, and so may
 * shared pages: see memory_stale().
 */
void area_unmapped(struct area *area, bool quiet);
void area_discarded(struct area *area, size_t from, size_t pages, bool quiet);
void object_discarded(struct object *object, size_t from, size_t pages, bool private_too,
		      bool quiet);
void object_close(struct object *object);

/* Another process looked up the first pages. Its pins may outlive it for a while. */
void area_doubted(struct area *area, size_t pages);

/* After a look at all areas: pages that no mapping shows are no longer owed. */
void objects_looked_at(void);

/*
 * Limits of what is pinned, in pages of 4 KiB. At least the told pages of present areas
 * are pinned. At most the owed pages are, with the stale ones (released quietly) and, as
 * the library pins ahead, as many as were asked for. Released pages (not quietly, and not
 * shared) are unpinned. Stale, released and asked for count the sequence so far.
 */
void memory_count(size_t *told, size_t *owed);
size_t memory_stale(void);
size_t memory_released(void);
size_t memory_asked(void);
void memory_ask(size_t pages);
void memory_doubt(size_t pages);
void memory_forget_stale(void);

/* operations.c: the operations of steps */

/* Random numbers, of which an operation uses what the state of the memory allows. */
struct step {
	unsigned int number;
	unsigned int operation;
	uint32_t slot, other, from, pages, kind, how;
	bool whole, quiet, write, odd;
};

struct operation {
	const char *name;
	unsigned int weight;
	void (*perform)(const struct step *step);
};

#define OPERATIONS 21
extern const struct operation operations[OPERATIONS];

/* Adds to the description of what the step does. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

void operations_prepare(void);

/* map.c: from now on no memory of System V is mapped */
void map_no_sysv(void);
void release_all(void);

/* sequence.c */

#define MAX_STEPS 40

/* Called before the first sequence. */
void sequence_prepare(struct progress *progress);

/* Performs the sequence of a seed, limited to the steps whose bits are set in only. */
void sequence_perform(uint64_t seed, uint64_t only, bool verbose);

/*
 * Checks where all areas are. If an operation calls it, this is the last thing that the
 * operation does to memory. Otherwise it is called after the operation.
 */
void check_truth(enum look how);

/* Compares an answer with the truth. From now on it is told. first: in pages of 4 KiB. */
void check_answer(pid_t pid, struct area *area, size_t first, const uint64_t *entries,
		  size_t count);

/* Called in a daemon, which continues with the memory of its parent and its own pins. */
void sequence_continues(void);

/* Looks up new pages, which makes the library search for stale pins. */
void look_up_fresh_pages(void);

/* Checks the pages of the objects themselves, wherever they are mapped. */
void check_objects(void);

/* True if io_uring pins from the start to the end. */
bool pins_by_uring(void);

/* True if io_uring pins until a device lends its page table, once in a process. */
bool lends_later(void);

/* rights.c: true if the kernel shows frames in this process's pagemap. */
bool rights_show_frames(void);

/* long.c */
void long_run(uint64_t lookups);

#endif
