/* SPDX-License-Identifier: MIT */
/* A run in a file, to be compared elsewhere, or later. */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include <stdio.h>

#include "cli/side.h"

void record_write(const struct side *side, FILE *to);

/*
 * Reads a record. Gives up if this version cannot read the file. The file need not
 * be trusted: its texts are shown without what a terminal obeys.
 */
void record_read(struct side *side, const char *file);

#endif
