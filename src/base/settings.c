/* SPDX-License-Identifier: MIT */
#include "base/settings.h"

#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/event.h"
#include "base/log.h"

#define PREFIX "NOIOMMU_SHIM_"

struct settings settings;

/* The index of value in a NULL-terminated list of names, or -1 after a warning. */
static int choose(const char *variable, const char *value, const char *const names[])
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(value, names[i]))
			return i;
	log_warn("%s: '%s' is not one of its values; see noiommu-shim(7)", variable, value);
	return -1;
}

static void set_mode(const char *variable, const char *value)
{
	static const char *const names[] = {"auto", "cdev", "group", NULL};
	int mode = choose(variable, value, names);

	if (mode >= 0)
		settings.mode = (enum settings_mode)mode;
}

static void set_unpinned(const char *variable, const char *value)
{
	static const char *const names[] = {"refuse", "fallback", NULL};
	int unpinned = choose(variable, value, names);

	if (unpinned >= 0)
		settings.unpinned = (enum settings_unpinned)unpinned;
}

static void set_backend(const char *variable, const char *value)
{
	static const char *const names[] = {"auto", "iommufd", "uring", NULL};
	int chosen = choose(variable, value, names);

	if (chosen >= 0)
		settings.backend = (enum settings_backend)chosen;
}

static void set_keeper(const char *variable, const char *value)
{
	static const char *const names[] = {"parent", "child", "grandchild", NULL};
	int keeper = choose(variable, value, names);

	if (keeper >= 0)
		settings.keeper = (enum settings_keeper)keeper;
}

static void set_log(const char *variable, const char *value)
{
	static const char *const names[] = {"error", "warn", "info", "debug", NULL};
	int level = choose(variable, value, names);

	if (level >= 0)
		log_limit = (enum log_level)level;
}

static void set_log_file(const char *variable, const char *value)
{
	int ret = log_to_file(value);

	if (ret)
		log_warn("%s: cannot open '%s' (%e); the log goes to standard error", variable,
			 value, ret);
}

static void set_trace(const char *variable, const char *value)
{
	int ret = event_open(value);

	if (ret)
		log_warn("%s: cannot open '%s' (%e): this process is not traced", variable, value,
			 ret);
}

static const struct {
	const char *name;
	void (*set)(const char *variable, const char *value);
} variables[] = {
	{PREFIX "MODE", set_mode},   {PREFIX "UNPINNED", set_unpinned},
	{PREFIX "LOG", set_log},     {PREFIX "LOG_FILE", set_log_file},
	{PREFIX "TRACE", set_trace}, {PREFIX "BACKEND", set_backend},
	{PREFIX "FORK", set_keeper},
};

static void set(const char *entry)
{
	const char *value = strchr(entry, '=');
	char name[64];
	size_t len;

	if (!value)
		return;
	len = (size_t)(value++ - entry);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (strlen(variables[i].name) == len && !memcmp(entry, variables[i].name, len)) {
			variables[i].set(variables[i].name, value);
			return;
		}
	}
	if (len >= sizeof(name))
		len = sizeof(name) - 1;
	memcpy(name, entry, len);
	name[len] = '\0';
	log_warn("%s is not a variable of noiommu-shim; see noiommu-shim(7)", name);
}

void settings_read(char **envp)
{
	if (!envp || getauxval(AT_SECURE))
		return;
	for (; *envp; envp++)
		if (!strncmp(*envp, PREFIX, strlen(PREFIX)))
			set(*envp);
}
