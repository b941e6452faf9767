/* SPDX-License-Identifier: MIT */
/* What `check` looks at: a function for each need, which adds what it found. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/devices.h"
#include "cli/elf.h"
#include "cli/findings.h"
#include "cli/trial.h"

struct check {
	bool json;
	bool reset;
	const char *name; /* of the program, or NULL */

	struct findings findings;
	struct devices devices;
	struct trial_answer answer;
	const char *library; /* NULL: it cannot be used */
	struct elf elf;	     /* of the library */
	uint64_t huge_bytes;
	size_t missing_for_cdev;
	bool lacks_cdevs; /* the kernel does, whatever is bound or loaded */
	bool uring_pins;
	json_t *program;
};

/* Short forms for the functions below; c is the check. */
#define OK(c, name, ...)      finding(&(c)->findings, name, FINDING_OK, __VA_ARGS__)
#define NOTE(c, name, ...)    finding(&(c)->findings, name, FINDING_NOTE, __VA_ARGS__)
#define UNTOLD(c, name, ...)  finding(&(c)->findings, name, FINDING_UNTOLD, __VA_ARGS__)
#define MISSING(c, name, ...) finding(&(c)->findings, name, FINDING_MISSING, __VA_ARGS__)
#define DETAIL(c, ...)	      finding_detail(&(c)->findings, __VA_ARGS__)
#define MEND(c, ...)	      finding_mend(&(c)->findings, __VA_ARGS__)

/* Missing for the cdev path. On a kernel that lacks it, io_uring may pin instead. */
#define NO_CDEV(c, name, ...) ((c)->missing_for_cdev++, MISSING(c, name, __VA_ARGS__))

/* The number in directory/entry/file, or 0 if there is none. */
uint64_t check_number(const char *directory, const char *entry, const char *file);

/*
 * True when nothing is missing, or only what is for the cdev path, on a kernel without one
 * whose io_uring pins.
 */
bool check_is_ready(const struct check *c);

/* A container lacks the node, or may not use it. */
void check_mend_node(struct check *c, const char *node);

/*
 * VFIO and iommufd ask for capabilities in the initial user namespace. Those of another one
 * do not count.
 */
bool check_initial_namespace(void);

/* True if this process has the capability, in the initial user namespace. */
bool check_capability(unsigned int capability);

/* The kernel: its version, options and interfaces. */
void check_version(struct check *c);
void check_options(struct check *c);
void check_pagemap(struct check *c);
void check_iommufd(struct check *c);
void check_get_pa(struct check *c);
void check_uring(struct check *c);

/* The devices, the mode in which they are bound, and the right to open them. */
void check_mode(struct check *c);
void check_devices(struct check *c);
void check_reset(struct check *c);
void check_groups(struct check *c);
void check_rights(struct check *c);

/* Memory, and how much of it this process may lock. */
void check_hugepages(struct check *c);
void check_locked_memory(struct check *c);

/* What is preloaded, and into what. */
void check_library(struct check *c);
void check_program(struct check *c);

#endif
