/*
 * model - the addresses that a program was given, compared with the truth
 *
 * A random sequence of steps maps memory, uses it, looks up where it is and
 * gives it back in all the ways there are. After each step another process,
 * which knows nothing of the library under test, tells where every page really
 * is. A page whose address was looked up has to stay there until the program
 * gives it back, and after the last step nothing may be pinned any more.
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

/* Of a pagemap entry */
#define PRESENT	  (1ULL << 63)
#define SWAPPED	  (1ULL << 62)
#define EXCLUSIVE (1ULL << 56) /* mapped only once */
#define PFN	  ((1ULL << 55) - 1)

/* main.c */

struct options {
	uint64_t seed, count, only;
	bool verbose, unprivileged;
};

/* Where the process that performs sequences is: its parent takes it from there. */
struct progress {
	uint64_t seed;
	unsigned int step;
	char what[512]; /* it does */
	pid_t worker;	/* changes when it becomes a daemon */
	bool is_done;
};

/* Says what is wrong, if anybody listens, and ends the process. */
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *format, ...);

uint64_t random_bits(uint64_t *state);

/* look.c: the answers, read as drivers read them */

enum way { OPEN_SEEK_READ, KEPT_PREAD, WAYS, INHERITED_PREAD };

/* True when this process has kept a descriptor of its pagemap. */
bool look_is_kept(void);

/* 0 or the error of the call that failed. */
int try_look_up(enum way way, const char *va, size_t pages, uint64_t *entries);
void look_up(enum way way, const char *va, size_t pages, uint64_t *entries);

/* observer.c: the truth, as a process without the library sees it */

#define MAX_RANGES 32

/* Pages of 1 << shift bytes. There is one entry for each, that of its beginning. */
struct range {
	uint64_t va;
	uint32_t pages;
	uint32_t shift;
};

/* In pages of 4 KiB, but for huge_free. */
struct account {
	uint64_t pinned; /* by the process that is looked at */
	uint64_t huge_free;
};

enum look { LOOK, LOOK_AFTER_MOVING };

/* To be called once, before anything is looked up. */
void observer_start(void);

/* The entries of all ranges, one after the other. Moving is to another node. */
struct account observer_look(enum look how, pid_t pid, const struct range *ranges, size_t count,
			     uint64_t *entries);

/*
 * From now on accounts have what is pinned in all of the system: what io_uring pins is
 * counted for no process. It costs some work on each processor.
 */
void observer_count_all(void);

/*
 * What the file of a descriptor of this process has at the pages of 1 << shift bytes whose
 * bits are set in mask: the entries as the observer's own mapping shows them, before and
 * after it moves all that can be moved.
 */
void observer_look_at_file(int fd, unsigned int shift, uint64_t mask, uint64_t *before,
			   uint64_t *after);

/* What another process does to this one's memory, or to its files. Returns 0 or an errno. */
enum act { PUNCH, TRUNCATE, ADVISE };
int observer_act(enum act what, int fd, uint64_t from, uint64_t len, int advice);

/* What the second process does. */
int observer_main(int fd);

/* memory.c: what there is, and what was told of it */

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
	int fd;	 /* -1: it has none, or it is closed */
	int shm; /* -1: it is no System V segment */
	size_t pages;
	size_t max_pages;
	/* The addresses that outlive the mapping of which they were told. */
	uint64_t kept[MAX_OBJECT_PAGES];
	/* Nobody saw that mapping go: only page tables tell that there is another one. */
	bool faint[MAX_OBJECT_PAGES];
	/* Something happened unseen to a page that had an address. */
	bool doubtful[MAX_OBJECT_PAGES];
	/* Its last mapping was given back in sight: it is not pinned. */
	bool freed[MAX_OBJECT_PAGES];
};

/* A mapping or a part of one; none if it has no pages. */
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
	uint64_t seen[MAX_PAGES]; /* the entries when it was last looked at */
};

extern struct area areas[MAX_AREAS];
extern struct object objects[MAX_OBJECTS];

struct area *area_new(enum kind kind, char *va, size_t pages);
struct object *object_new(enum kind kind, size_t pages);
const char *kind_name(enum kind kind);
unsigned int kind_shift(enum kind kind);
size_t area_size(const struct area *area);

/* Makes [from, from + pages) an area of its own. NULL: there are too many. */
struct area *area_carve(struct area *area, size_t from, size_t pages);

/* How many pages from the first on can be touched without SIGBUS. */
size_t area_backed(const struct area *area);

/* The page was looked up, and is in this frame. */
void area_told(struct area *area, size_t page, uint64_t frame);

/* The frame in which the page has to be, or 0. */
uint64_t area_owed(const struct area *area, size_t page);

/*
 * The mapping is gone, or the pages are. Quiet: in a way that no library can see,
 * or some time later. What was told then may stay pinned for a while, and so may
 * what is shared; see memory_stale().
 */
void area_unmapped(struct area *area, bool quiet);
void area_discarded(struct area *area, size_t from, size_t pages, bool quiet);
void object_discarded(struct object *object, size_t from, size_t pages, bool private_too,
		      bool quiet);
void object_close(struct object *object);

/* Another process has looked up the first pages: what it pinned outlives it for a while. */
void area_doubted(struct area *area, size_t pages);

/* After a look at all areas: what no mapping shows any more is owed no more. */
void objects_looked_at(void);

/*
 * How much is pinned, in pages of 4 KiB: at least what was told, where it was
 * told; at most what is owed, what was given back quietly, and ahead of the program
 * as much as it has asked for. What was given back in sight, and nothing else has, is
 * unpinned by then. The latter are of the sequence so far.
 */
void memory_count(size_t *told, size_t *owed);
size_t memory_stale(void);
size_t memory_released(void);
size_t memory_asked(void);
void memory_ask(size_t pages);
void memory_doubt(size_t pages);
void memory_forget_stale(void);

/* operations.c: what a step does */

/* Random numbers, to be taken as the state of the memory allows. */
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

/* Says in a few words what the step does. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

void operations_prepare(void);
void release_all(void);

/* sequence.c */

#define MAX_STEPS 40

/* To be called before the first sequence. */
void sequence_prepare(struct progress *progress);

/* Performs the sequence of a seed, of it the steps whose bits are set in only. */
void sequence_perform(uint64_t seed, uint64_t only, bool verbose);

/*
 * Looks where all areas are, and how much is pinned. Of a step it is the last
 * thing that has to do with memory, or it is done after it.
 */
void check_truth(enum look how);

/* Compares an answer with the truth. From now on it is owed. first: in pages of 4 KiB. */
void check_answer(pid_t pid, struct area *area, size_t first, const uint64_t *entries,
		  size_t count);

/* This is another process from now on, with the same memory, and what is pinned for it. */
void sequence_continues(void);

/* Makes the library do what it does when pages are looked up that were not there before. */
void look_up_fresh_pages(void);

/* Asks the pages of the objects themselves, wherever they are mapped. */
void check_objects(void);

/* True when what is pinned is counted for all of the system: see observer_count_all(). */
bool counts_all(void);

/* rights.c: True when the kernel's own entries have frames. */
bool rights_show_frames(void);

/* long.c */
void long_run(uint64_t lookups);

#endif
