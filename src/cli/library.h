/* SPDX-License-Identifier: MIT */
/* Where libnoiommu-shim.so is, and whether it can be preloaded here. */
#ifndef CLI_LIBRARY_H
#define CLI_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#define LIBRARY_NAME "libnoiommu-shim.so"

/*
 * The library that belongs to this command: of its build tree, beside it,
 * of its own installation, or installed where configure said. NULL: none.
 */
const char *library_find(void);

/* Where library_find() looked, for people. */
char *library_places(void);

/*
 * Proves that the dynamic linker loads it: this command is run once more with
 * it and looks. False with the linker's own words in why.
 */
bool library_loads(const char *path, char *why, size_t size);

/* What it is run with once more, and what it does then. */
#define LIBRARY_PROOF "--is-preloaded"
bool library_is_mapped(const char *path);

#endif
