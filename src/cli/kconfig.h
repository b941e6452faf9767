/* SPDX-License-Identifier: MIT */
/* The options that the running kernel was built with, as far as it tells. */
#ifndef CLI_KCONFIG_H
#define CLI_KCONFIG_H

#include <stdbool.h>

/* False when nobody tells. Must come before kconfig_value(). */
bool kconfig_read(void);

/* Of CONFIG_name: 'y', 'm', 'n', or '?' when it is not told. */
char kconfig_value(const char *name);

#endif
