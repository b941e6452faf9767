/* SPDX-License-Identifier: MIT */
/* The files of our view that are no devices. Needs the lock. */
#ifndef LEGACY_NAMES_H
#define LEGACY_NAMES_H

#include "legacy/view.h"

/* A descriptor from which the text of a sysfs file can be read, or a negative errno. */
int names_open_text(const struct view *view, int flags);

#endif
