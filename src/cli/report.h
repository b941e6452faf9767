/* SPDX-License-Identifier: MIT */
/* A comparison as one self-contained page of HTML. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdio.h>

#include "cli/comparison.h"

void report_write(const struct comparison *comparison, FILE *to);

#endif
