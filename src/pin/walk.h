/* SPDX-License-Identifier: MIT */
/* All memory of this process. Addresses and sizes are in bytes. Needs the lock. */
#ifndef PIN_WALK_H
#define PIN_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Calls see() once for each mapping, and before Linux 6.7 for each 2 MiB of it, with n 0
 * and no entries. Then calls it with the entries of all pages there that are present or
 * being migrated: n pages of size bytes from va on, as large as the pins of that mapping. False
 * when that is not possible, when mappings changed meanwhile, or when see() returns false.
 */
typedef bool walk_see(uint64_t va, const uint64_t *entries, size_t n, uint64_t size);
bool walk(walk_see *see);

#endif
