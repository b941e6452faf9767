/* SPDX-License-Identifier: MIT */
#include "cli/library.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

/* The directory of this command's file, without a slash at the end. */
static bool own_directory(char *dir, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", dir, size - 1);

	if (len <= 0)
		return false;
	dir[len] = '\0';
	*strrchr(dir, '/') = '\0';
	return true;
}

/* LIBDIR below its prefix, as an installation may have been moved as a whole. */
static const char *libdir_below_prefix(void)
{
	const char *lib = strstr(LIBDIR, "/lib");

	return lib ? lib : "/lib";
}

const char *library_find(void)
{
	static char found[PATH_MAX];
	char dir[PATH_MAX];

	if (own_directory(dir, sizeof(dir))) {
		char *const places[] = {
			text("%s/.libs/" LIBRARY_NAME, dir),
			text("%s/" LIBRARY_NAME, dir),
			text("%s/..%s/" LIBRARY_NAME, dir, libdir_below_prefix()),
		};

		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
			if (realpath(places[i], found))
				return found;
	}
	return realpath(LIBDIR "/" LIBRARY_NAME, found);
}

char *library_places(void)
{
	char dir[PATH_MAX];

	if (!own_directory(dir, sizeof(dir)))
		return text("not in %s", LIBDIR);
	return text("neither in %s, %s/..%s nor %s", dir, dir, libdir_below_prefix(), LIBDIR);
}

struct mapped {
	struct stat st;
	bool found;
};

static int is_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct mapped *mapped = arg;
	struct stat st;

	(void)size;
	mapped->found = info->dlpi_name[0] == '/' && !stat(info->dlpi_name, &st) &&
			st.st_dev == mapped->st.st_dev && st.st_ino == mapped->st.st_ino;
	return mapped->found;
}

bool library_is_mapped(const char *path)
{
	struct mapped mapped = {.found = false};

	if (!stat(path, &mapped.st))
		dl_iterate_phdr(is_object, &mapped);
	return mapped.found;
}

__attribute__((noreturn)) static void run_proof(const char *path, int err)
{
	/* The proof must not begin the program's log. */
	unsetenv("NOIOMMU_SHIM_LOG_FILE");
	setenv("LD_PRELOAD", path, 1);
	dup2(err, STDERR_FILENO);
	execl("/proc/self/exe", "noiommu-shim", LIBRARY_PROOF, path, NULL);
	dprintf(err, "cannot run /proc/self/exe: %s", strerror(errno));
	_exit(STATUS_NOT_FOUND);
}

/* Reads to the end of file. Keeps the part of the first line that fits. */
static void read_line(int fd, char *line, size_t size)
{
	size_t len = 0;
	char rest[512];
	ssize_t got;

	while (len < size - 1 && (got = read(fd, line + len, size - 1 - len)) > 0)
		len += (size_t)got;
	while (read(fd, rest, sizeof(rest)) > 0)
		;
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

bool library_loads(const char *path, char *why, size_t size)
{
	int err[2], status;
	pid_t child;

	if (pipe2(err, O_CLOEXEC) || (child = fork()) < 0)
		give_up("cannot try the library: %s", strerror(errno));
	if (!child)
		run_proof(path, err[1]);
	close(err[1]);
	read_line(err[0], why, size);
	close(err[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (!*why)
		snprintf(why, size, "the dynamic linker did not load it and gave no reason");
	return false;
}
