/* SPDX-License-Identifier: MIT */
#include "cli/check.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/progress.h"

uint64_t check_number(const char *directory, const char *entry, const char *file)
{
	char *path = text("%s/%s/%s", directory, entry, file);
	FILE *f = fopen(path, "re");
	unsigned long number = 0;

	if (f && fscanf(f, "%lu", &number) != 1)
		number = 0;
	if (f)
		fclose(f);
	free(path);
	return number;
}

void check_mend_node(struct check *c, const char *node)
{
	MEND(c, "give it to this container: --device=%s", node);
	MEND(c, "in a pod: a device plugin, in resources.limits; no hostPath volume");
}

bool check_initial_namespace(void)
{
	/* PROC_USER_INIT_INO of include/linux/proc_ns.h */
	const ino_t initial = 0xeffffffd;
	struct stat st;

	return stat("/proc/self/ns/user", &st) || st.st_ino == initial;
}

bool check_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (!check_initial_namespace() || syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool check_is_ready(const struct check *c)
{
	return !c->findings.missing ||
	       (c->uring_pins && c->lacks_cdevs && c->findings.missing == c->missing_for_cdev);
}

static void print_json(struct check *c)
{
	json_t *all = json_pack("{s:b, s:o, s:o, s:o*}", "ready", check_is_ready(c), "findings",
				findings_json(&c->findings), "devices", devices_json(&c->devices),
				"program", c->program);

	if (!all || json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII))
		give_up("cannot write JSON");
	putchar('\n');
	json_decref(all);
}

enum { OPTION_JSON = 256, OPTION_RESET };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, NULL, 0, "print JSON", 0},
	{"reset", OPTION_RESET, NULL, 0,
	 "also pin a page as a test, with a device that nobody holds; this resets the device", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct check *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case OPTION_JSON:
		c->json = true;
		return 0;
	case OPTION_RESET:
		c->reset = true;
		return 0;
	case ARGP_KEY_ARG:
		c->name = arg;
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int check_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "[-- PROGRAM]",
		.doc = "Shows what noiommu-shim needs, what is missing and how to get it, and "
		       "whether PROGRAM can be served.\v"
		       "Exit status: 0: ready, also where io_uring pins instead of the cdev path; "
		       "1: not ready; 2: bad usage, or the command could not look.",
	};
	struct check c = {.json = false};

	parse_options(&argp, argc, argv, &c);
	/* A mask of a container's engine is an empty directory. */
	if (access("/proc/self/stat", F_OK) || access("/sys/devices/system", F_OK) ||
	    access("/sys/class/mem", F_OK))
		give_up("/proc and /sys must be mounted, without a mask on what is in there");
	c.answer = trial_ask();

	check_library(&c);
	check_version(&c);
	check_options(&c);
	check_pagemap(&c);
	check_iommufd(&c);
	check_get_pa(&c);
	check_uring(&c);
	check_mode(&c);
	check_devices(&c);
	check_reset(&c);
	check_groups(&c);
	check_rights(&c);
	check_hugepages(&c);
	check_locked_memory(&c);
	check_program(&c);

	progress_end();
	if (c.json)
		print_json(&c);
	else
		findings_print(&c.findings, check_is_ready(&c));
	if (fflush(stdout) || ferror(stdout))
		give_up("cannot write: %s", strerror(errno));
	return check_is_ready(&c) ? 0 : STATUS_NOT_READY;
}
