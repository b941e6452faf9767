/*
 * random.h - what random programs are made of
 *
 * `generate` writes programs: functions of steps, with blocks for what a child or a
 * thread does. Each step is one of the functions below, on numbered memories and
 * descriptors. It prints one line that is the same each time the program runs: values,
 * errnos, contents and flags, never an address.
 *
 * A program knows nothing of the library. Only the promise that a page stays where it
 * was said to be is checked in one of the two runs (--promised): without the library the
 * kernel does not make it, and the page is moved.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define PAGE_SHIFT 12
#define HUGE_SHIFT 21
#define PAGE_SIZE  (1UL << PAGE_SHIFT)

/* ---- programs, which `generate` writes ------------------------------------ */

struct program {
	unsigned long seed;
	void (*const *blocks)(void); /* the first is the program */
};

extern const struct program programs[];
extern const size_t programs_count;

/* Steps that are left out make a difference smaller. */
#define STEP(number) if (step_begins(number))

/* ---- report.c: what is printed -------------------------------------------- */

#define MAX_STEPS   128
#define MAX_OBJECTS 64

/* Shared by all processes of a program with the one that prints it. */
struct report {
	unsigned long seed;
	bool promised;
	bool left_out[MAX_STEPS];
	unsigned int objects;
	unsigned int generation[MAX_OBJECTS]; /* grows when pages of an object are freed */
	char end[32];			      /* how it ended */
	size_t used;
	char text[1 << 16];
};

extern struct report *report;
extern const char *report_path;

void report_open(const char *path);
bool step_begins(int number);

/* What follows is said by another thread or process, in a block of its own. */
void block_begins(int block);
int block_now(void);

/* The line of this step. Its block and its number come first. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The value, or the name of the errno. */
const char *answer(long result);

/* ---- memory.c ------------------------------------------------------------- */

#define MEMORIES  8
#define MAX_PAGES 16

enum kind { ANON, SHARED, MEMFD, PRIVATE_MEMFD, TMPFS, SYSV, HEAP, LOW, HUGE, HUGE_MEMFD, BAR };

struct memory {
	char *va; /* NULL: there is none */
	size_t pages;
	unsigned int shift;
	enum kind kind;
	int fd;	       /* of its file, or -1 */
	int object;    /* of memory that can be mapped more than once, or -1 */
	size_t offset; /* in its file, in pages */
	bool barred, read_only;
	bool stays;  /* here when a child is made: MADV_DONTFORK, of all or of a part */
	pid_t owner; /* who mapped it there */
	bool copied; /* by fork(): where it is and who shares it the kernel does not say */
	bool written[MAX_PAGES];       /* else a page may be one that others have, too */
	uint64_t told[MAX_PAGES];      /* 0: nothing */
	bool shared_then[MAX_PAGES];   /* a private page that was only read until it was told */
	unsigned int since[MAX_PAGES]; /* the object's generation then */
};

extern struct memory memories[MEMORIES];

/* NULL after a line that says that there is none. */
struct memory *memory_get(const char *what, int m);

/* After fork(), in both processes. */
void memory_copied(bool is_child);

void memory_read_shared(void);

/* From now on a thread may call fork() at any time. */
void memory_is_copied_anytime(void);

/* Of a pagemap: whose memory it shows. */
extern pid_t memory_owner;

size_t memory_size(const struct memory *memory);
bool memory_is_private(const struct memory *memory);

/* What was told of these pages is void. */
void memory_forget(struct memory *memory, size_t from, size_t pages);

void map(int m, enum kind kind, int pages, bool populate);
void alias(int to, int m);
void touch(int m, int page, bool write);
void fill(int m, int seed);
void contents(int m);
void resident(int m);
void lock_it(int m);
void flags(int m);

/* ---- release.c ------------------------------------------------------------ */

void unmap(int m, int from);
void map_over(int m, int from, int pages);
void resize(int m, int pages, bool may_move);
void shift_to(int m, bool leave);
void protect(int m, int rights);
void advise(int m, int from, int pages, int advice, bool by_descriptor);
void punch(int m, int from, int pages);
void truncate_to(int m, int pages);
void heap_grow(int m, int pages);

/* ---- look.c ---------------------------------------------------------------- */

enum way { PREAD, SEEK_READ, READV, PREADV, STREAM, SYSCALL, AIO, WAYS };

/* By a descriptor of its own, which is opened by one of the spellings. */
void look(int m, int from, int pages, enum way way, int spelling);

/* By a descriptor that the program has. */
void look_first(void);
void look_by(int d, int m, int from, int pages, enum way way);
void look_wrong(int d, int m, int how);
void scan(int d, int m);

/* The pages are where they were said to be, and cannot be moved. */
void hold(int m);

const char *spelling_of(int spelling, char *path, size_t size);

/* ---- descriptors.c --------------------------------------------------------- */

#define DESCRIPTORS 12

extern int descriptors[DESCRIPTORS];
extern pid_t owners[DESCRIPTORS]; /* of pagemaps */

/* Somebody else makes some, too: nobody knows which number is the next. */
extern bool numbers_unknown;

/* A child closes its own descriptors, and its parent, whose memory it has, keeps them. */
extern __thread bool memory_is_borrowed;

/* Says the descriptor that was made. */
void made(const char *what, int d, int fd);

void open_name(int d, const char *name, int flags, int how);
void open_pagemap(int d, int spelling, int flags, int how);
void open_eventfd(int d);
void close_it(int d, int how);
void close_all(void);
void duplicate(int to, int d, int how);
void pass(int to, int d, int how);
void descriptor_flags(int d, int set);
void stat_it(int d);
void link_of(int d);
void list_descriptors(int how);
void poll_it(int d, int how);
void read_it(int d, int how);
void list_name(const char *name);
void stat_name(const char *name, int how);

/* ---- vfio.c ----------------------------------------------------------------- */

/* All that a driver does to open a device, in the order that it always has. */
void open_device(int container, int group, int device, int which);
void open_container(int d);
void open_group(int d, int which);
void get_device(int d, int group, int which);
void set_container(int group, int container);
void unset_container(int group);
void set_iommu(int container, int type);
void check_extension(int container, int type);
void get_status(int group);
void wrong_ioctl(int d, int how);
void device_info(int device);
void region_info(int device, int index);
void irq_info(int device, int index);
void config_read(int device);
void config_write(int device, bool master);
void map_bar(int m, int device);
void registers(int m);

/* As sysfs shows it, whoever has the device open. */
void is_mastering(int which);
void reset(int device);
void interrupt_on(int device, int event, int index);
void interrupt_off(int device, int index);
void interrupt_raise(int device, int index);

/* $d0 and $g0 into the address and the group of a device. */
const char *expand(const char *name, char *out, size_t size);

/* ---- process.c --------------------------------------------------------------- */

enum birth { FORK, RAW_FORK, CLONE3, FORK_EXEC, VFORK_EXEC, SPAWN, BIRTHS };

/* The block is performed by another process while this one waits. */
void child(enum birth birth, int block);
void vfork_child(int block);
void memory_child(int block);

/* ... or while this one goes on, until it waits. */
#define OTHERS 8
void start_child(int other, enum birth birth, int block);
void wait_child(int other);
void start_thread(int other, int block);
void join_thread(int other);

void in_handler(int block);
void execute_nothing(int how);
void run_command(int how);
void become_daemon(void);

/* Whatever is open and mapped. */
void die(int how);
void fork_twice(int block);

/* Threads and timers that look up, map and fork all the time, on memory of their own. */
enum noise { NOISE_LOOK, NOISE_MAP, NOISE_FORK, NOISE_FILES, NOISE_SIGNAL, NOISES };
void noise_starts(enum noise noise);
void noise_ends(void);

/* ---- rights.c --------------------------------------------------------------- */

/* Rights were given up: without the library the kernel may show no frames any more. */
extern bool frames_hidden;

/* Children are known by other numbers than those in /proc. */
extern bool numbers_foreign;

void give_up(int what);
void take_back(void);

void resume(const char *argument);

#endif
