/* SPDX-License-Identifier: MIT */
#include "cli/about.h"

#include <config.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/devices.h"
#include "cli/plain.h"

const struct about_member about_members[] = {
	{"program", "Program"},	     {"path", "Program file"},
	{"version", "noiommu-shim"}, {"time", "Time"},
	{"host", "Machine"},	     {"kernel", "Kernel"},
	{"processor", "Processor"},  {"memory", "Memory"},
	{"devices", "Devices"},	     {NULL, NULL},
};

static json_t *string(const char *value)
{
	char *words = plain(value, strlen(value));
	json_t *json = json_string(words);

	free(words);
	if (!json)
		give_up("out of memory");
	return json;
}

static void set(json_t *about, const char *name, char *value)
{
	if (*value)
		json_object_set_new(about, name, string(value));
	free(value);
}

/* The value in the first line of a file that begins with key. "" if there is none. */
static char *read_value(const char *file, const char *key)
{
	char line[4096], *value = NULL;
	FILE *from = fopen(file, "re");

	while (from && !value && fgets(line, sizeof(line), from))
		if (!strncmp(line, key, strlen(key))) {
			value = line + strlen(key);
			value += strspn(value, "\t :");
			value[strcspn(value, "\n")] = '\0';
		}
	if (from)
		fclose(from);
	return text("%s", value ? value : "");
}

static char *memory(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		return text("%s", "");
	return text("%" PRIu64 " MiB", (uint64_t)info.totalram * info.mem_unit >> 20);
}

static char *now(void)
{
	char words[64];
	time_t seconds = time(NULL);
	struct tm parts;

	strftime(words, sizeof(words), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &parts));
	return text("%s", words);
}

static json_t *program(char *const *argv)
{
	json_t *array = json_array();

	for (; *argv; argv++)
		json_array_append_new(array, string(*argv));
	return array;
}

static json_t *devices_of_machine(void)
{
	json_t *array = json_array();
	struct devices devices;

	devices_list(&devices);
	for (size_t i = 0; i < devices.count; i++) {
		const struct device *device = &devices.list[i];
		char *words = text("%s, %s:%s, %s, %s", device->address, device->vendor,
				   device->product, device->driver, device->name);

		json_array_append_new(array, string(words));
		free(words);
	}
	devices_free(&devices);
	return array;
}

json_t *about(const struct launch *launch)
{
	json_t *about = json_object();
	struct utsname system;

	json_object_set_new(about, "program", program(launch->program));
	set(about, "path", text("%s", launch->found.path));
	set(about, "version", text("%s", PACKAGE_VERSION));
	set(about, "time", now());
	if (!uname(&system)) {
		set(about, "host", text("%s, %s", system.nodename, system.machine));
		set(about, "kernel", text("%s %s", system.release, system.version));
	}
	set(about, "processor", read_value("/proc/cpuinfo", "model name"));
	set(about, "memory", memory());
	json_object_set_new(about, "devices", devices_of_machine());
	return about;
}

char *about_text(const json_t *about, const char *name, const char *between)
{
	const json_t *member = json_object_get(about, name);
	char *words = text("%s", json_is_string(member) ? json_string_value(member) : "");

	for (size_t i = 0; i < json_array_size(member); i++) {
		char *longer = text("%s%s%s", words, i ? between : "",
				    json_string_value(json_array_get(member, i)));

		free(words);
		words = longer;
	}
	return words;
}

char *about_release(const json_t *about)
{
	char *kernel = about_text(about, "kernel", "");

	kernel[strcspn(kernel, " ")] = '\0';
	return kernel;
}
