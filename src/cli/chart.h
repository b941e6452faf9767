/* SPDX-License-Identifier: MIT */
/* Pictures of a run, as SVG within a page. The same is there as a table. */
#ifndef CLI_CHART_H
#define CLI_CHART_H

#include <stdio.h>

#include "cli/comparison.h"

/* Of run 0 or 1. */
void chart_addresses(FILE *to, const struct comparison *comparison, int run);
void chart_lookups(FILE *to, const struct comparison *comparison, int run);

/* The class that gives a run its colour. */
const char *chart_class(int run);

#endif
