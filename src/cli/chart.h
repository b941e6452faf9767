/* SPDX-License-Identifier: MIT */
/* Pictures of a run, as SVG within a page. The page has the same data as a table. */
#ifndef CLI_CHART_H
#define CLI_CHART_H

#include <stdio.h>

#include "cli/comparison.h"

/* Draw run 0 or 1. */
void chart_addresses(FILE *to, const struct comparison *comparison, int run);
void chart_lookups(FILE *to, const struct comparison *comparison, int run);

/* The CSS class that gives a run its colour. */
const char *chart_class(int run);

#endif
