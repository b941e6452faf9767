/* SPDX-License-Identifier: MIT */
/* The build options of the running kernel, as far as they can be read. */
#ifndef CLI_KCONFIG_H
#define CLI_KCONFIG_H

#include <stdbool.h>

/* Reads them; false if they cannot be read. Call it before kconfig_value(). */
bool kconfig_read(void);

/* The value of CONFIG_name: 'y', 'm', 'n', or '?' if it is unknown. */
char kconfig_value(const char *name);

#endif
