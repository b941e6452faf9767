/*
 * The operations of steps, with a file for each subject. Each operation uses the
 * step's random numbers as the state of the memory allows, and describes by say()
 * what it has done. If it says nothing, it has done nothing.
 */
#ifndef MODEL_OPERATIONS_H
#define MODEL_OPERATIONS_H

#include "model.h"

#define MAX_SMALL     16
#define MAX_HUGE      2
#define MALLOC_HEADER 16
#define MALLOC_PAGES  16

/* operations.c */

/* libc's own functions, which the library does not intercept. */
struct behind {
	int (*munmap)(void *, size_t);
	int (*madvise)(void *, size_t, int);
	void *(*mmap)(void *, size_t, int, int, int, off_t);
	long (*syscall)(long, ...);
};
extern struct behind behind;

size_t live_areas(void);

bool read_only_is_refused(void);

/* The first area at or after a slot, with wrap-around. NULL: none. */
struct area *pick(uint32_t slot);

/* The same, but NULL if the area belongs to an allocator. */
struct area *pick_own(uint32_t slot);

struct object *pick_object(uint32_t slot, bool with_fd);
void pick_range(const struct step *step, size_t of, size_t *from, size_t *pages);

/* Makes some pages of an area an area of its own. */
struct area *pick_part(const struct step *step);

/* A part of a page, or 0, for a length that the kernel has to round up or down. */
size_t odd(const struct step *step, unsigned int shift);

void say_area(const struct area *area);
void touch(const struct area *area, size_t page, bool write);
void do_touch(const struct step *step);
void do_look_up(const struct step *step);
void do_move(const struct step *step);

/* Writes to all owed pages. After a fork this moves a page that is not pinned. */
void write_to_all(void);

/* map.c */

/* Reserves space to move an area to. Small pages then cross a page table's border. */
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

bool rights_are_dropped(void);

/* True if lookups must work, by a descriptor from before if rights are dropped. */
bool rights_may_look_up(void);
void rights_take_back(void);
void do_protect(const struct step *step);
void do_rights(const struct step *step);

#endif
