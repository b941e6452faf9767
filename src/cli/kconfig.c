/* SPDX-License-Identifier: MIT */
#include "cli/kconfig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

#include "cli/cli.h"

static char *config; /* the whole file after a newline; NULL: unknown */

static char *read_all(const char *path)
{
	gzFile file = gzopen(path, "rb"); /* reads plain text as well */
	size_t size = 1 << 16, len = 1;
	char *all, *more;
	int got;

	if (!file)
		return NULL;
	all = malloc(size);
	while (all && (got = gzread(file, all + len, (unsigned int)(size - 1 - len))) > 0) {
		len += (size_t)got;
		if (len < size - 1)
			continue;
		more = realloc(all, size *= 2);
		if (!more)
			give_up("out of memory");
		all = more;
	}
	gzclose(file);
	if (!all)
		give_up("out of memory");
	all[0] = '\n';
	all[len] = '\0';
	return all;
}

bool kconfig_read(void)
{
	static const struct {
		const char *before, *after; /* the kernel's release */
	} places[] = {
		{"/boot/config-", ""},
		{"/lib/modules/", "/config"},
		{"/lib/modules/", "/build/.config"},
	};
	struct utsname name;

	uname(&name);
	config = read_all("/proc/config.gz");
	for (size_t i = 0; !config && i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = text("%s%s%s", places[i].before, name.release, places[i].after);

		config = read_all(path);
		free(path);
	}
	return config;
}

char kconfig_value(const char *name)
{
	char line[128];
	const char *found;

	if (!config)
		return '?';
	snprintf(line, sizeof(line), "\nCONFIG_%s=", name);
	found = strstr(config, line);
	return found ? found[strlen(line)] : 'n';
}
