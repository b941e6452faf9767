/* SPDX-License-Identifier: MIT */
/* Where libnoiommu-shim.so is, and whether it can be preloaded here. */
#ifndef CLI_LIBRARY_H
#define CLI_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#define LIBRARY_NAME "libnoiommu-shim.so"

/*
 * Finds the library of this command: in its build tree, beside it, in its own
 * installation, or where configure installs it. NULL if there is none.
 */
const char *library_find(void);

/* The places where library_find() looked, for a message. */
char *library_places(void);

/*
 * Proves that the dynamic linker loads the library: runs this command again with
 * the library preloaded. Returns false, with the linker's message in why.
 */
bool library_loads(const char *path, char *why, size_t size);

/* The argument of that second run, and what the second run does. */
#define LIBRARY_PROOF "--is-preloaded"
bool library_is_mapped(const char *path);

#endif
