/* SPDX-License-Identifier: MIT */
/* A comparison as one page of HTML, which needs nothing but itself. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdio.h>

#include "cli/comparison.h"

void report_write(const struct comparison *comparison, FILE *to);

#endif
