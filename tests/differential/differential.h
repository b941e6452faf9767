/* SPDX-License-Identifier: MIT */
/*
 * differential - the same sequence of calls on two implementations of VFIO's
 * group interface, and what came back from each.
 *
 * A step is a line of text, for example
 *
 *	d0 = ioctl(g0, GROUP_GET_DEVICE_FD, "$dA")
 *
 * The generator writes such lines, the performer reads them, the transcript
 * repeats them with their answer. There is no other form of a step: what a
 * transcript shows can be kept in a file and performed again as it stands.
 */
#ifndef DIFFERENTIAL_H
#define DIFFERENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* world.c: the devices, and names for what has another number in every machine */

#define MAX_DEVICES 4

void world_find(const char *addresses);
const char *world_addresses(void);
int world_devices(void);
const char *world_profile(void);
void world_expand(const char *text, char *out, size_t size);
void world_normalise(const char *text, char *out, size_t size);
int world_device_of_group(uint32_t group);
void world_group_node(int device, char *path, size_t size);
void world_cdev_node(int device, char *path, size_t size);
void world_node(uint64_t rdev, char *out, size_t size);

/* sequence.c: a list of steps */

#define MAX_STEPS   96
#define STEP_LENGTH 192

struct step {
	int number;
	char text[STEP_LENGTH];
};

struct sequence {
	int nr;
	struct step step[MAX_STEPS];
};

void sequence_add(struct sequence *sequence, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void sequence_only(struct sequence *sequence, const char *numbers);
bool sequence_read(struct sequence *sequence, FILE *file, char *name, size_t size);
void sequence_write(const struct sequence *sequence, FILE *file);

/* generate.c: a sequence from a seed. The same seed and profile give the same steps. */

void generate(struct sequence *sequence, uint64_t seed, const char *profile);

/* call.c: the notation of one step */

#define MAX_ARGUMENTS 6

struct call {
	int *result; /* the slot that takes a new descriptor, or NULL */
	char name[24];
	int nr;
	char argument[MAX_ARGUMENTS][STEP_LENGTH];
};

bool call_parse(struct call *call, const char *text);
const char *call_text(const struct call *call, int i);
const char *call_path(const struct call *call, int i);
long call_value(const struct call *call, int i);
long value_of(const char *text);

/* slots.c: the descriptors that a sequence holds */

#define SLOT_KINDS     "cgdx" /* container, group, device, anything else */
#define SLOTS_PER_KIND 4

int *slot_find(const char *name);
void slot_assign(int *slot, int fd);
void slots_close(void);
void slots_write(char *out, size_t size);
void slots_read(const char *text);

/* memory.c: what the pointers of a call point to */

void memory_setup(void);
bool memory_is(const char *text);
void *memory_put(const char *text);
uint32_t *memory_word(int i);
bool memory_changes(char *out, size_t size);

/* perform.c: one step done, and its answer in words */

#define ANSWER_LENGTH 8192

struct answer {
	size_t used;
	char text[ANSWER_LENGTH];
};

void answer(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void answer_result(struct answer *a, long result);
void perform(const char *step, struct answer *a, bool in_child);
unsigned long perform_device_opens(void);

/* look.c: the operations that look at names and files */

struct operation {
	const char *name;
	void (*perform)(const struct call *call, struct answer *a);
};

extern const struct operation look_operations[];

/* differences.c: what the two sides may answer differently */

void differences_read(const char *path);
const char *differences_path(void);
uint64_t differences_hash(void);
void differences_mask(const char *step, char *result);

/* observer.c: what another process sees of it in the end */

void observer_start(void);
int observer_precede(char **command); /* starts it, then becomes that command */
void observer_meet(void);	      /* before the first sequence of a process */
void observer_look(struct answer *a);
int observe(int fd);

/* run.c: a whole sequence, with its children, from a clean start to a clean end */

void run_sequence(const struct sequence *sequence, FILE *transcript);
void run_resumed(const struct sequence *sequence, const char *state) __attribute__((noreturn));
uint64_t hash(const char *text, size_t length);

/* compare.c: two records side by side; a difference brought down to few steps */

int compare_records(const char *native, const char *shim);
int shrink(const struct sequence *sequence, const char *native, const char *shim,
	   const char *directory);

#endif
