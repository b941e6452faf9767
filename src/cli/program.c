/* SPDX-License-Identifier: MIT */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/cli.h"

/* ---- where it is ---- */

/* The limits of the kernel: fs/exec.c and fs/binfmt_script.c. */
#define MAX_INTERPRETERS 5
#define SCRIPT_HEAD	 256

static int try_path(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_CANNOT_EXEC;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
		return STATUS_CANNOT_EXEC;
	return 0;
}

/* An empty element of PATH is the current directory. */
static int search(const char *name, char *path, size_t size)
{
	const char *dirs = getenv("PATH");
	int result = STATUS_NOT_FOUND;

	if (strchr(name, '/')) {
		/* A truncated path would name another file. */
		if ((size_t)snprintf(path, size, "%s", name) >= size)
			return STATUS_CANNOT_EXEC;
		return try_path(path);
	}
	if (!*name)
		return STATUS_NOT_FOUND;
	for (dirs = dirs ? dirs : "/bin:/usr/bin";; dirs++) {
		int len = (int)strcspn(dirs, ":");
		int whole = snprintf(path, size, "%.*s/%s", len ? len : 1, len ? dirs : ".", name);
		int ret = (size_t)whole < size ? try_path(path) : STATUS_NOT_FOUND;

		if (!ret)
			return 0;
		if (ret == STATUS_CANNOT_EXEC)
			result = ret;
		dirs += len;
		if (!*dirs)
			return result;
	}
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *next_word(char **line)
{
	char *word;

	*line += strspn(*line, " \t");
	word = *line;
	*line += strcspn(*line, " \t");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

/* "#!/usr/bin/env [-S] NAME" stands for "#!NAME", with NAME found in PATH. */
static void take_interpreter(char *line, char *loaded, size_t size)
{
	char *interpreter = next_word(&line);
	char *word = next_word(&line);

	if (!strcmp(base_of(interpreter), "env")) {
		if (!strcmp(word, "-S"))
			word = next_word(&line);
		if (*word && *word != '-' && !strchr(word, '=') && !search(word, loaded, size))
			return;
	}
	snprintf(loaded, size, "%s", interpreter);
}

/* Replaces loaded with its interpreter. False: it has none. */
static bool follow(char *loaded, size_t size)
{
	char head[SCRIPT_HEAD + 1];
	int fd = elf_open(loaded);
	ssize_t len = fd < 0 ? -1 : read(fd, head, SCRIPT_HEAD);

	if (fd >= 0)
		close(fd);
	if (len < 0)
		return false;
	head[len] = '\0';
	if (!strncmp(head, "#!", 2)) {
		head[strcspn(head, "\n")] = '\0';
		take_interpreter(head + 2, loaded, size);
		return true;
	}
	if (!strncmp(head, "\177ELF", 4))
		return false;
	/* execvp() passes a file that the kernel cannot execute to the shell. */
	snprintf(loaded, size, "/bin/sh");
	return true;
}

int program_find(const char *name, struct program *program)
{
	int ret = search(name, program->path, sizeof(program->path));

	if (ret)
		return ret;
	memcpy(program->loaded, program->path, sizeof(program->loaded));
	for (int i = 0; i < MAX_INTERPRETERS; i++)
		if (!follow(program->loaded, sizeof(program->loaded)))
			break;
	return 0;
}

/* ---- whether it can be served ---- */

__attribute__((format(printf, 2, 3))) static void what(struct obstacle *obstacle,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(obstacle->what, sizeof(obstacle->what), format, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static bool instead(struct obstacle *obstacle,
							  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(obstacle->instead, sizeof(obstacle->instead), format, args);
	va_end(args);
	return true;
}

/* The dynamic linker ignores LD_PRELOAD if a program has more rights than its caller. */
static bool gains_rights(const char *path, struct obstacle *obstacle)
{
	struct statvfs fs;
	struct stat st;

	if (getuid() != geteuid() || getgid() != getegid()) {
		what(obstacle, "would run with different real and effective users or groups");
		return instead(obstacle, "start this command as the user that the program needs");
	}
	if (stat(path, &st) || statvfs(path, &fs) || fs.f_flag & ST_NOSUID)
		return false;
	/* cap_bprm_creds_from_file() in security/commoncap.c exempts the real root. */
	if (getuid() && getxattr(path, "security.capability", NULL, 0) > 0) {
		what(obstacle, "has file capabilities: LD_PRELOAD is ignored");
		return instead(obstacle, "setcap -r it, and run it as root or in a systemd unit "
					 "with AmbientCapabilities=");
	}
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0)
		return false;
	if (st.st_mode & S_ISUID && st.st_uid != getuid()) {
		what(obstacle, "is set-user-id: LD_PRELOAD is ignored");
		return instead(obstacle, "run this command as user %u", (unsigned int)st.st_uid);
	}
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid()) {
		what(obstacle, "is set-group-id: LD_PRELOAD is ignored");
		return instead(obstacle, "run this command as group %u", (unsigned int)st.st_gid);
	}
	return false;
}

static bool is_another_kind(const struct elf *elf, const struct elf *library,
			    struct obstacle *obstacle)
{
	if (elf->bits != library->bits) {
		what(obstacle, "is a %u-bit program: iommufd serves 64-bit programs only",
		     elf->bits);
		return instead(obstacle, "use a 64-bit build of it");
	}
	if (elf->foreign || elf->machine != library->machine) {
		what(obstacle, "is for another processor (ELF machine %u, the library is for %u)",
		     elf->machine, library->machine);
		return instead(obstacle, "use a build for this one");
	}
	return false;
}

static bool is_out_of_reach(const struct elf *elf, const struct elf *library,
			    struct obstacle *obstacle)
{
	if (elf->is_go) {
		what(obstacle, "is a Go program: its system calls do not go through libc, so a "
			       "preload does not see them");
		return instead(obstacle, "run it on a kernel that has VFIO groups");
	}
	if (elf->is_linker)
		return false;
	if (!elf->interpreter[0]) {
		what(obstacle, "is statically linked: nothing can be preloaded");
		return instead(obstacle, "link it dynamically");
	}
	if (elf->libc != library->libc) {
		what(obstacle, "uses %s (%s), and the library is built for %s",
		     elf_libc_name(elf->libc), elf->interpreter, elf_libc_name(library->libc));
		if (elf->libc == ELF_LIBC_UNKNOWN)
			return instead(obstacle, "use a build for %s",
				       elf_libc_name(library->libc));
		return instead(obstacle,
			       "preload a library that is built with %s, or use a build for %s",
			       elf_libc_name(elf->libc), elf_libc_name(library->libc));
	}
	return false;
}

static bool has_obstacle(const char *path, const struct elf *library, struct obstacle *obstacle)
{
	struct elf elf;
	int ret = elf_read(path, &elf);

	if (ret == -ENOEXEC) {
		what(obstacle, "is no ELF program");
		return instead(obstacle, "check the file");
	}
	if (ret == -ENOENT) {
		what(obstacle, "is not there");
		return instead(obstacle, "install it, or change the script's first line");
	}
	if (ret) {
		what(obstacle, "cannot be read (%s), so this command cannot examine it",
		     strerror(-ret));
		return instead(obstacle, "make it readable, or run this command as root");
	}
	return is_another_kind(&elf, library, obstacle) || gains_rights(path, obstacle);
}

/* If the interpreter of a script has the obstacle, says so. */
static bool name_interpreter(const struct program *program, struct obstacle *obstacle)
{
	struct obstacle found = *obstacle;

	if (strcmp(program->loaded, program->path))
		what(obstacle, "is run by %s, which %.*s", program->loaded, PATH_MAX / 2,
		     found.what);
	return true;
}

bool program_has_obstacle(const struct program *program, const struct elf *library,
			  struct obstacle *obstacle)
{
	return has_obstacle(program->loaded, library, obstacle) &&
	       name_interpreter(program, obstacle);
}

bool program_is_out_of_reach(const struct program *program, const struct elf *library,
			     struct obstacle *obstacle)
{
	struct elf elf;

	return !elf_read(program->loaded, &elf) && is_out_of_reach(&elf, library, obstacle) &&
	       name_interpreter(program, obstacle);
}

bool program_calls_kernel(const struct program *program)
{
	struct elf elf;

	return !elf_read(program->loaded, &elf) && elf.calls_kernel;
}
