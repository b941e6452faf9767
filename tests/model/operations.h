/*
 * What a step does: a file for each subject. Each operation takes what it needs
 * of the step's random numbers, as the state of the memory allows, and says what
 * it has done; one that says nothing has done nothing.
 */
#ifndef MODEL_OPERATIONS_H
#define MODEL_OPERATIONS_H

#include "model.h"

#define MAX_SMALL     16
#define MAX_HUGE      2
#define MALLOC_HEADER 16
#define MALLOC_PAGES  16

/* operations.c */

/* libc's own functions, as libc itself calls them. */
struct behind {
	int (*munmap)(void *, size_t);
	int (*madvise)(void *, size_t, int);
	void *(*mmap)(void *, size_t, int, int, int, off_t);
	long (*syscall)(long, ...);
};
extern struct behind behind;

size_t live_areas(void);

/* The first area from a slot on, in a circle. */
struct area *pick(uint32_t slot);

/* The same, of those that belong to the program and not to an allocator. */
struct area *pick_own(uint32_t slot);

struct object *pick_object(uint32_t slot, bool with_fd);
void pick_range(const struct step *step, size_t of, size_t *from, size_t *pages);

/* Some of an area, as an area of its own. */
struct area *pick_part(const struct step *step);

/* Lengths need not be of whole pages: the kernel rounds them, one way or the other. */
size_t odd(const struct step *step, unsigned int shift);

void say_area(const struct area *area);
void touch(const struct area *area, size_t page, bool write);
void do_touch(const struct step *step);
void do_look_up(const struct step *step);
void do_move(const struct step *step);

/* A write to all that is owed: after a fork it gives a page that is not pinned a new place. */
void write_to_all(void);

/* map.c */

/* Where small pages move to is across the border of what one page table covers. */
char *reserve_for(const struct area *area);

void do_map(const struct step *step);
void do_alias(const struct step *step);
void do_over(const struct step *step);
void do_over_itself(const struct step *step);

/* release.c */

void do_unmap(const struct step *step);
void do_advise(const struct step *step);
void do_punch(const struct step *step);
void do_truncate(const struct step *step);
void do_detach(const struct step *step);
void do_close(const struct step *step);
void unmap_area(struct area *area, size_t odd, bool quiet);

/* remap.c */

void do_remap(const struct step *step);
void do_realloc(const struct step *step);

/* process.c */

void do_fork(const struct step *step);
void do_spawn(const struct step *step);
void do_clone(const struct step *step);
void do_daemon(const struct step *step);

/* rights.c */

/* True when lookups by a descriptor of before have to work. */
bool rights_are_dropped(void);
bool rights_may_look_up(void);
void rights_take_back(void);
void do_protect(const struct step *step);
void do_rights(const struct step *step);

#endif
