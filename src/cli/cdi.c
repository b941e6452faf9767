/* SPDX-License-Identifier: MIT */
/*
 * Writes a specification of the Container Device Interface: what a container engine
 * adds to a container with a device.
 *
 * An engine may replace a variable of the image, so LD_PRELOAD names every library
 * that the container preloads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/devices.h"
#include "cli/elf.h"
#include "cli/library.h"

/* The first version in which the name of a device may begin with a digit. */
#define VERSION "0.5.0"

struct cdi {
	const char *file;
	const char *library;
	const char *preload;
	const char *libc;
};

static const struct argp_option options[] = {
	{"library", 'l', "FILE", 0, "the library for the images, instead of this command's own", 0},
	{"preload", 'p', "LIST", 0,
	 "preload the libraries in LIST too, with their paths in the image", 0},
	{"output", 'o', "FILE", 0, "write FILE instead of standard output", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cdi *cdi = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->err_stream = NULL;
		return 0;
	case 'l':
		cdi->library = arg;
		return 0;
	case 'p':
		cdi->preload = arg;
		return 0;
	case 'o':
		cdi->file = arg;
		return 0;
	case ARGP_KEY_ARG:
		give_up("unexpected argument '%s'; see noiommu-shim cdi --help", arg);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void find_library(struct cdi *cdi)
{
	static struct elf elf;
	int ret;

	if (!cdi->library)
		cdi->library = library_find();
	else if (!(cdi->library = realpath(cdi->library, NULL)))
		give_up("cannot find the library: %s", strerror(errno));
	if (!cdi->library)
		give_up(LIBRARY_NAME " is missing: it is %s", library_places());
	ret = elf_read(cdi->library, &elf);
	if (ret)
		give_up("cannot read %s: %s", cdi->library, strerror(-ret));
	switch (elf.libc) {
	case ELF_LIBC_GLIBC:
		cdi->libc = "glibc";
		return;
	case ELF_LIBC_MUSL:
		cdi->libc = "musl";
		return;
	default:
		give_up("%s is built for neither glibc nor musl", cdi->library);
	}
}

/* ---- the specification ---- */

static json_t *node(const char *path)
{
	return json_pack("{s:s, s:s}", "path", path, "permissions", "rw");
}

static json_t *device(const char *name, json_t *nodes)
{
	return json_pack("{s:s, s:{s:o}}", "name", name, "containerEdits", "deviceNodes", nodes);
}

/* NULL if there is no device. */
static json_t *all_devices(const struct devices *devices)
{
	json_t *array = json_array(), *nodes = json_array();

	for (size_t i = 0; i < devices->count; i++) {
		const struct device *it = &devices->list[i];

		if (!it->noiommu || !it->address[0])
			continue;
		json_array_append_new(array,
				      device(it->address, json_pack("[o]", node(device_node(it)))));
		json_array_append_new(nodes, node(device_node(it)));
	}
	if (json_array_size(array)) {
		json_array_append_new(array, device("all", nodes));
		return array;
	}
	json_decref(nodes);
	json_decref(array);
	return NULL;
}

/*
 * The path of the library has the name of its libc in it. A dynamic linker of
 * another libc that refuses the library reports nothing but this path.
 */
static json_t *common_edits(const struct cdi *cdi)
{
	char *inside = text("/usr/lib/noiommu-shim/%s/" LIBRARY_NAME, cdi->libc);
	char *preload = text("LD_PRELOAD=%s%s%s", inside, cdi->preload ? ":" : "",
			     cdi->preload ? cdi->preload : "");
	json_t *edits = json_pack("{s:[s,s], s:[o], s:[{s:s, s:s, s:[s,s,s,s]}]}", "env", preload,
				  "NOIOMMU_SHIM_MODE=cdev", "deviceNodes", node("/dev/iommu"),
				  "mounts", "hostPath", cdi->library, "containerPath", inside,
				  "options", "ro", "nosuid", "nodev", "bind");

	free(preload);
	free(inside);
	return edits;
}

static json_t *specification(const struct cdi *cdi, json_t *devices)
{
	char *kind = text("noiommu-shim/%s", cdi->libc);
	json_t *whole = json_pack("{s:s, s:s, s:o, s:o}", "cdiVersion", VERSION, "kind", kind,
				  "devices", devices, "containerEdits", common_edits(cdi));

	free(kind);
	if (!whole)
		give_up("a path is not UTF-8, so JSON cannot hold it");
	return whole;
}

/* ---- the file ---- */

static bool print(const json_t *json, FILE *to)
{
	return !json_dumpf(json, to, JSON_INDENT(2) | JSON_ENSURE_ASCII) && fputc('\n', to) > 0 &&
	       !fflush(to);
}

/* rename() would replace anything at this path, even a device node. */
static void only_a_file(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && !S_ISREG(st.st_mode))
		give_up("%s is not a regular file", path);
}

/*
 * Commands that write the same file take turns. Each takes the lock before it looks
 * at the devices, so that the file ends up with the latest state. The lock ends with
 * the process.
 */
static void wait_for_turn(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = text("%.*s.", slash ? (int)(slash - path) + 1 : 0, path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX))
		give_up("cannot write %s: %s", path, strerror(errno));
	free(directory);
}

/* Replaces the file as a whole, as engines may read it at any time. */
static void write_file(const char *path, const json_t *json)
{
	/* Not .json: an engine would read this as one more specification. */
	char *unfinished = text("%s.XXXXXX", path);
	int fd = mkostemp(unfinished, O_CLOEXEC), error;
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w");

	if (to && print(json, to) && !fchmod(fd, 0644) && !fsync(fd) && !rename(unfinished, path)) {
		fclose(to);
		free(unfinished);
		return;
	}
	error = errno;
	if (fd >= 0)
		unlink(unfinished);
	give_up("cannot write %s: %s", path, strerror(error));
}

/* The format allows no specification without a device, so the file is removed. */
static int say_none(const struct cdi *cdi)
{
	if (cdi->file && unlink(cdi->file) && errno != ENOENT)
		give_up("cannot remove %s: %s", cdi->file, strerror(errno));
	complain("no device has a no-IOMMU cdev%s%s%s", cdi->file ? ": there is no " : "",
		 cdi->file ? cdi->file : "", cdi->file ? " now" : "");
	return STATUS_NONE;
}

int cdi_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Writes a specification of the Container Device Interface, by which podman, "
		       "containerd and others give a container a device, /dev/iommu, and the "
		       "library preloaded.\v"
		       "The names are noiommu-shim/LIBC=ADDRESS and noiommu-shim/LIBC=all. LIBC is "
		       "glibc or musl, the libc of the library and of the images that it suits. "
		       "The value of LD_PRELOAD in an image may be lost: see --preload.\n\n"
		       "Exit status: 0: written; 1: there is no device, and FILE was removed; 2: "
		       "bad usage, or the command could not write.",
	};
	struct cdi cdi = {0};
	struct devices devices;
	json_t *all, *whole;

	parse_options(&argp, argc, argv, &cdi);
	find_library(&cdi);
	if (cdi.file) {
		only_a_file(cdi.file);
		wait_for_turn(cdi.file);
	}
	devices_list(&devices);
	all = all_devices(&devices);
	if (!all)
		return say_none(&cdi);
	whole = specification(&cdi, all);
	if (cdi.file)
		write_file(cdi.file, whole);
	else if (!print(whole, stdout))
		give_up("cannot write: %s", strerror(errno));
	json_decref(whole);
	return 0;
}
