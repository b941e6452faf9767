/* SPDX-License-Identifier: MIT */
/* Checks what the cdev path needs, with one function for each need. */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/devices.h"
#include "cli/elf.h"
#include "cli/findings.h"
#include "cli/kconfig.h"
#include "cli/library.h"
#include "cli/plain.h"
#include "cli/program.h"
#include "cli/trap.h"
#include "cli/trial.h"

#define PARAMETER "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define HUGEPAGES "/sys/kernel/mm/hugepages"

struct check {
	bool json;
	bool reset;
	const char *name; /* of the program, or NULL */

	struct findings findings;
	struct devices devices;
	struct trial_answer answer;
	const char *library; /* NULL: it cannot be used */
	struct elf elf;	     /* of the library */
	uint64_t huge_bytes;
	json_t *program;
};

/* Short forms for the functions below; c is the check. */
#define OK(c, name, ...)      finding(&(c)->findings, name, FINDING_OK, __VA_ARGS__)
#define NOTE(c, name, ...)    finding(&(c)->findings, name, FINDING_NOTE, __VA_ARGS__)
#define UNTOLD(c, name, ...)  finding(&(c)->findings, name, FINDING_UNTOLD, __VA_ARGS__)
#define MISSING(c, name, ...) finding(&(c)->findings, name, FINDING_MISSING, __VA_ARGS__)
#define DETAIL(c, ...)	      finding_detail(&(c)->findings, __VA_ARGS__)
#define MEND(c, ...)	      finding_mend(&(c)->findings, __VA_ARGS__)

/* The number in directory/entry/file, or 0 if there is none. */
static uint64_t read_number(const char *directory, const char *entry, const char *file)
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

static bool has_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

/* ---- the library ---- */

static void check_library(struct check *c)
{
	const char *library = library_find();
	char why[512];

	if (!library) {
		MISSING(c, "library", LIBRARY_NAME " is %s", library_places());
		MEND(c, "install noiommu-shim again, library and command");
		return;
	}
	if (elf_read(library, &c->elf) || !library_loads(library, why, sizeof(why))) {
		MISSING(c, "library", "%s cannot be preloaded: %s", library, why);
		MEND(c, "install noiommu-shim again, as built for this system");
		return;
	}
	c->library = library;
	OK(c, "library", "%s", library);
}

/* ---- the kernel ---- */

/* Not only by its number: an older kernel may have a backport of what came with 7.3. */
static void check_version(struct check *c)
{
	int major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	if (major > 7 || (major == 7 && minor >= 3)) {
		OK(c, "Linux", "%s", name.release);
	} else if (!c->answer.open_error && (!c->answer.error || c->answer.error == EPERM)) {
		OK(c, "Linux", "%s, which has what came with 7.3", name.release);
	} else {
		MISSING(c, "Linux", "%s; no-IOMMU cdevs came with 7.3", name.release);
		MEND(c, "boot Linux 7.3 or later");
	}
}

static void check_options(struct check *c)
{
	static const struct {
		const char *name;
		const char *option;
		bool needed;
	} options[] = {
		{"CONFIG_IOMMUFD", "IOMMUFD", true},
		{"CONFIG_VFIO", "VFIO", true},
		{"CONFIG_VFIO_DEVICE_CDEV", "VFIO_DEVICE_CDEV", true},
		{"CONFIG_VFIO_NOIOMMU", "VFIO_NOIOMMU", true},
		{"CONFIG_VFIO_PCI", "VFIO_PCI", true},
		{"CONFIG_VFIO_GROUP", "VFIO_GROUP", false},
	};

	if (!kconfig_read()) {
		UNTOLD(c, "kernel options", "no /proc/config.gz, no /boot/config-*");
		MEND(c, "modprobe configs");
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char value = kconfig_value(options[i].option);

		if (!options[i].needed) {
			OK(c, options[i].name, "%s (not needed)", value == 'n' ? "not set" : "y");
		} else if (value == 'n') {
			MISSING(c, options[i].name, "not set");
			MEND(c, "build the kernel with %s=y", options[i].name);
		} else {
			OK(c, options[i].name, "%c", value);
		}
	}
}

static void check_iommufd(struct check *c)
{
	static const char name[] = "/dev/iommu";
	int error = c->answer.open_error;

	if (!error) {
		OK(c, name, "opens");
	} else if (error == ENOENT && !access("/sys/class/misc/iommu", F_OK)) {
		MISSING(c, name, "the kernel has it, the node is not here");
		MEND(c, "give it to this container: --device /dev/iommu");
	} else if (error == EPERM) {
		MISSING(c, name, "cannot be opened: %s", strerror(error));
		MEND(c, "allow this container to use it: --device /dev/iommu");
	} else if (error == ENOENT) {
		MISSING(c, name, "there is none");
		MEND(c, kconfig_value("IOMMUFD") == 'n' ? "boot a kernel with CONFIG_IOMMUFD=y"
							: "modprobe iommufd");
	} else {
		MISSING(c, name, "cannot be opened: %s", strerror(error));
		MEND(c, "run as root, or give your user the node:");
		MEND(c, "chown %u /dev/iommu", (unsigned int)getuid());
	}
}

static void check_get_pa(struct check *c)
{
	static const char name[] = "GET_PA";

	if (c->answer.open_error) {
		UNTOLD(c, name, "unknown without /dev/iommu");
		return;
	}
	switch (c->answer.error) {
	case 0:
	case EPERM: /* the missing right is another finding */
		OK(c, name, "the kernel has IOMMU_IOAS_NOIOMMU_GET_PA");
		break;
	case EOPNOTSUPP:
		MISSING(c, name, "the kernel was built without it");
		MEND(c, "build it with CONFIG_VFIO_NOIOMMU=y and CONFIG_VFIO_DEVICE_CDEV=y");
		break;
	default:
		MISSING(c, name, "the kernel does not know IOMMU_IOAS_NOIOMMU_GET_PA: %s",
			strerror(c->answer.error));
		MEND(c, "boot Linux 7.3 or later");
	}
}

static void check_uring(struct check *c)
{
	static const char name[] = "io_uring";
	int error = trial_uring();

	if (!error) {
		OK(c, name, "can pin memory on the group path");
		return;
	}
	NOTE(c, name, "%s: %s",
	     error == ENOSYS ? "the kernel has none"
			     : "not allowed, by kernel.io_uring_disabled or a seccomp profile",
	     strerror(error));
	if (read_number("/proc/sys", "kernel", "io_uring_disabled"))
		MEND(c, "sysctl kernel.io_uring_disabled=0");
}

static void check_pagemap(struct check *c)
{
	if (!access("/proc/self/pagemap", F_OK)) {
		OK(c, "/proc/self/pagemap", "is there");
		return;
	}
	MISSING(c, "/proc/self/pagemap", "there is none");
	MEND(c, "build the kernel with CONFIG_PROC_PAGE_MONITOR=y");
}

static void check_page_size(struct check *c)
{
	long size = sysconf(_SC_PAGESIZE);

	if (size == 4096)
		return;
	MISSING(c, "base pages", "%ld bytes; the library needs 4096", size);
	MEND(c, "boot a kernel with base pages of 4 KiB");
}

/* ---- the devices ---- */

static void check_mode(struct check *c)
{
	static const char name[] = "no-IOMMU mode";
	FILE *file = fopen(PARAMETER, "re");
	int value = file ? fgetc(file) : 0;

	if (file)
		fclose(file);
	if (value == 'Y') {
		OK(c, name, "on");
	} else if (file) {
		MISSING(c, name, "off");
		MEND(c, "echo 1 > " PARAMETER);
	} else if (kconfig_value("VFIO_NOIOMMU") == 'n') {
		MISSING(c, name, "the kernel was built without it");
		MEND(c, "boot a kernel with CONFIG_VFIO_NOIOMMU=y");
	} else {
		MISSING(c, name, "the module vfio is not loaded, or has no such mode");
		MEND(c, "modprobe vfio enable_unsafe_noiommu_mode=1");
	}
}

static bool is_behind_iommu(const struct device *device)
{
	return !device->noiommu && !device->group[0];
}

static const char *state_of(const struct device *device)
{
	if (is_behind_iommu(device))
		return "behind an IOMMU";
	if (!device->noiommu)
		return device->holder_count ? "has no cdev, held by" : "has no cdev";
	if (device->holder_count)
		return "held by";
	switch (device->error) {
	case 0:
		return "free";
	case ENOENT:
		return "no node here";
	default:
		return "may not be opened";
	}
}

static void list_devices(struct check *c)
{
	bool behind_iommu = false;

	for (size_t i = 0; i < c->devices.count; i++) {
		const struct device *device = &c->devices.list[i];

		DETAIL(c, "%-13s %s %s:%s %s, %s", device->name, device->address, device->vendor,
		       device->product, device->driver, state_of(device));
		for (size_t h = 0; h < device->holder_count; h++)
			DETAIL(c, "  %d (%s)", device->holders[h].pid, device->holders[h].comm);
		behind_iommu |= is_behind_iommu(device);
	}
	if (behind_iommu)
		DETAIL(c, "behind an IOMMU: VFIO pins the memory of their drivers itself");
}

static void mend_no_device(struct check *c)
{
	for (size_t i = 0; i < c->devices.count; i++) {
		if (c->devices.list[i].group[0]) {
			MEND(c, "boot a kernel with CONFIG_VFIO_DEVICE_CDEV=y, 7.3 or later");
			return;
		}
	}
	if (c->devices.count) {
		MEND(c, "boot with the IOMMU off (intel_iommu=off or amd_iommu=off)");
		return;
	}
	if (kconfig_value("VFIO_PCI") == 'n') {
		MEND(c, "boot a kernel with CONFIG_VFIO_PCI=y");
		return;
	}
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		MEND(c, "modprobe vfio-pci");
	MEND(c, "BDF=0000:00:00.0    # yours, see lspci -nn");
	MEND(c, "echo vfio-pci > /sys/bus/pci/devices/$BDF/driver_override");
	MEND(c, "echo $BDF > /sys/bus/pci/devices/$BDF/driver/unbind");
	MEND(c, "echo $BDF > /sys/bus/pci/drivers_probe");
}

/* No device can be used. Says what makes the first one usable. */
static void mend_no_free_device(struct check *c, const struct device *device)
{
	if (device->holder_count) {
		MEND(c, "end process %d (%s), or bind one more device to vfio-pci",
		     device->holders[0].pid, device->holders[0].comm);
	} else if (device->error == ENOENT) {
		MEND(c, "give it to this container: --device %s", device_node(device));
	} else if (device->error == EPERM && !has_capability(CAP_SYS_RAWIO)) {
		MEND(c, "run as root, or give CAP_SYS_RAWIO");
	} else if (device->error == EPERM) {
		MEND(c, "allow this container to use it: --device %s", device_node(device));
	} else {
		MEND(c, "run as root, or give your user the node:");
		MEND(c, "chown %u %s", (unsigned int)getuid(), device_node(device));
	}
}

static void check_devices(struct check *c)
{
	static const char name[] = "no-IOMMU devices";
	const struct device *first = NULL;
	size_t all = 0, unheld = 0;

	devices_read(&c->devices);
	for (size_t i = 0; i < c->devices.count; i++) {
		const struct device *device = &c->devices.list[i];

		if (!device->noiommu)
			continue;
		first = first ? first : device;
		all++;
		unheld += !device->holder_count && !device->error;
	}
	if (!all)
		MISSING(c, name, "none");
	else if (!unheld)
		MISSING(c, name, "%zu, none free", all);
	else
		OK(c, name, "%zu, %zu free%s", all, unheld,
		   c->devices.all_processes_seen ? "" : " as far as can be seen");
	list_devices(c);
	if (!all)
		mend_no_device(c);
	else if (!unheld)
		mend_no_free_device(c, first);
}

static void check_reset(struct check *c)
{
	static const char name[] = "a page pinned";
	const struct device *device = devices_free_one(&c->devices);
	struct trial_result result;

	if (!c->reset)
		return;
	if (!device || c->answer.open_error) {
		NOTE(c, name, "not tried: there is no free device");
		return;
	}
	result = trial_run(device);
	if (result.step && (result.error == EBUSY || result.error == EAGAIN)) {
		MISSING(c, name, "%s is held by a process that is not seen here (%s: %s)",
			device->name, result.step, strerror(result.error));
		MEND(c, "end it, or bind one more device to vfio-pci");
	} else if (result.step) {
		MISSING(c, name, "%s failed on %s: %s", result.step, device->name,
			strerror(result.error));
		MEND(c, "see the kernel's log (dmesg)");
	} else if (result.told && result.told != result.pa) {
		MISSING(c, name, "GET_PA says 0x%lx, pagemap 0x%lx", result.pa, result.told);
		MEND(c, "report it: this kernel does not behave as Linux 7.3 does");
	} else {
		OK(c, name, "at 0x%lx%s; %s was reset", result.pa,
		   result.told ? ", as pagemap says" : "", device->address);
	}
}

static void check_groups(struct check *c)
{
	bool container = !access("/dev/vfio/vfio", F_OK);
	size_t groups = 0;

	for (size_t i = 0; i < c->devices.count; i++)
		groups += c->devices.list[i].group[0] != '\0';
	if (container && groups)
		OK(c, "legacy groups", "%zu, and /dev/vfio/vfio (not needed)", groups);
	else
		OK(c, "legacy groups", "%s (not needed)",
		   container ? "/dev/vfio/vfio, but no no-IOMMU group" : "none");
}

/* ---- rights and memory ---- */

static void check_rights(struct check *c)
{
	if (has_capability(CAP_SYS_RAWIO)) {
		OK(c, "CAP_SYS_RAWIO", "this process has it");
		return;
	}
	MISSING(c, "CAP_SYS_RAWIO", "this process does not have it");
	MEND(c, "run as root; in a unit file: AmbientCapabilities=CAP_SYS_RAWIO");
}

static void check_hugepages(struct check *c)
{
	static const char name[] = "huge pages";
	DIR *dir = opendir(HUGEPAGES);
	struct dirent *entry;
	char *sizes = text("%s", "");

	while (dir && (entry = readdir(dir))) {
		uint64_t n, kbytes;
		char *before = sizes;

		if (sscanf(entry->d_name, "hugepages-%lukB", &kbytes) != 1)
			continue;
		n = read_number(HUGEPAGES, entry->d_name, "nr_hugepages");
		if (!n)
			continue;
		c->huge_bytes += n * kbytes * 1024;
		sizes = text("%s%s%lu of %lu %s, %lu free", before, *before ? "; " : "", n,
			     kbytes < 1024 ? kbytes : kbytes >> 10, kbytes < 1024 ? "KiB" : "MiB",
			     read_number(HUGEPAGES, entry->d_name, "free_hugepages"));
		free(before);
	}
	if (dir)
		closedir(dir);
	if (c->huge_bytes)
		OK(c, name, "%s", sizes);
	free(sizes);
	if (c->huge_bytes)
		return;
	NOTE(c, name, dir ? "none; DPDK and many drivers need some" : "this kernel has none");
	MEND(c, dir ? "echo 512 > /proc/sys/vm/nr_hugepages"
		    : "build the kernel with CONFIG_HUGETLBFS=y");
}

static void check_locked_memory(struct check *c)
{
	static const char name[] = "locked memory";
	struct rlimit limit;

	if (has_capability(CAP_IPC_LOCK)) {
		OK(c, name, "no limit: CAP_IPC_LOCK");
	} else if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY) {
		OK(c, name, "no limit");
	} else if (limit.rlim_cur >= c->huge_bytes && c->huge_bytes) {
		OK(c, name, "%lu MiB, more than all huge pages", limit.rlim_cur >> 20);
	} else {
		finding(&c->findings, name, c->huge_bytes ? FINDING_MISSING : FINDING_NOTE,
			"%lu KiB may be pinned%s", limit.rlim_cur >> 10,
			c->huge_bytes ? ", less than the huge pages" : "");
		MEND(c, "ulimit -l unlimited; in a unit file: LimitMEMLOCK=infinity");
	}
}

/* ---- the program ---- */

/* A preload does not reach the program, for this reason. Checks whether traps do. */
static void check_trapped(struct check *c, const struct program *program,
			  const struct obstacle *reason)
{
	static const char name[] = "program";
	struct obstacle obstacle;

	if (trap_has_obstacle(&obstacle)) {
		MISSING(c, name, "%s %s; and %s", program->path, reason->what, obstacle.what);
		MEND(c, "%s", obstacle.instead);
		return;
	}
	json_object_set_new(c->program, "via", json_string("trap"));
	OK(c, name, "%s %s: its system calls are trapped", program->path, reason->what);
}

static void check_program(struct check *c)
{
	static const char name[] = "program";
	struct obstacle obstacle;
	struct program program;
	int ret;

	if (!c->name)
		return;
	c->program = json_pack("{s:o, s:b}", "name", plain_json(c->name, strlen(c->name)),
			       "preloadable", 0);
	ret = program_find(c->name, &program);
	if (ret) {
		MISSING(c, name, "%s %s", c->name,
			ret == STATUS_NOT_FOUND ? "is not found" : "cannot be executed");
		MEND(c, "%s",
		     ret == STATUS_NOT_FOUND ? "check its name, and PATH"
					     : "chmod +x it, or run as its user");
		return;
	}
	json_object_set_new(c->program, "path", plain_json(program.path, strlen(program.path)));
	json_object_set_new(c->program, "loaded",
			    plain_json(program.loaded, strlen(program.loaded)));
	if (!c->library) {
		UNTOLD(c, name, "%s: unknown without the library", program.path);
	} else if (program_has_obstacle(&program, &c->elf, &obstacle)) {
		MISSING(c, name, "%s %s", program.path, obstacle.what);
		MEND(c, "%s", obstacle.instead);
	} else if (program_is_out_of_reach(&program, &c->elf, &obstacle)) {
		check_trapped(c, &program, &obstacle);
	} else {
		json_object_set_new(c->program, "preloadable", json_true());
		json_object_set_new(c->program, "via", json_string("preload"));
		if (program_calls_kernel(&program))
			NOTE(c, name,
			     "%s can be preloaded; it has system calls of its own, which the "
			     "library does not see",
			     program.path);
		else
			OK(c, name, "%s can be preloaded", program.path);
	}
}

/* ---- the verb ---- */

static void print_json(struct check *c)
{
	json_t *all = json_pack("{s:b, s:o, s:o, s:o*}", "ready", !c->findings.missing, "findings",
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
		       "Exit status: 0: ready; 1: not ready; 2: bad usage, or the command could "
		       "not look.",
	};
	struct check c = {.json = false};

	parse_options(&argp, argc, argv, &c);
	if (access("/proc/self/stat", F_OK) || access("/sys/devices", F_OK))
		give_up("/proc and /sys must be mounted");
	c.answer = trial_ask();

	check_library(&c);
	check_version(&c);
	check_options(&c);
	check_page_size(&c);
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

	if (c.json)
		print_json(&c);
	else
		findings_print(&c.findings);
	if (fflush(stdout) || ferror(stdout))
		give_up("cannot write: %s", strerror(errno));
	return c.findings.missing ? STATUS_NOT_READY : 0;
}
