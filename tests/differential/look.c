/* SPDX-License-Identifier: MIT */
/*
 * The operations that look: at nodes and links, at directories, at what a
 * descriptor is. Numbers that differ from machine to machine are named or left
 * out.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "differential.h"

static void answer_text(struct answer *a, const char *name, const char *text)
{
	static char normal[ANSWER_LENGTH];

	world_normalise(text, normal, sizeof(normal));
	normal[strcspn(normal, "\n")] = 0;
	answer(a, " %s=%s", name, normal);
}

/* ---- status -------------------------------------------------------------- */

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFCHR:
		return "char";
	case S_IFDIR:
		return "dir";
	case S_IFLNK:
		return "link";
	case S_IFREG:
		return "file";
	case S_IFIFO:
		return "pipe";
	case 0:
		return "none";
	default:
		return "else";
	}
}

static void answer_status(struct answer *a, mode_t mode, unsigned long links, unsigned int owner,
			  uint64_t rdev)
{
	char node[32];

	answer(a, " type=%s mode=%o owner=%u", type_name(mode), mode & 07777, owner);
	if (!S_ISCHR(mode))
		return;
	world_node(rdev, node, sizeof(node));
	answer(a, " links=%lu node=%s", links, node);
}

static void answer_stat(struct answer *a, int result, const struct stat *st)
{
	answer_result(a, result);
	if (!result)
		answer_status(a, st->st_mode, st->st_nlink, st->st_uid, st->st_rdev);
}

static void do_stat(const struct call *call, struct answer *a)
{
	struct stat st;
	int result = stat(call_path(call, 0), &st);

	answer_stat(a, result, &st);
}

static void do_lstat(const struct call *call, struct answer *a)
{
	struct stat st;
	int result = lstat(call_path(call, 0), &st);

	answer_stat(a, result, &st);
}

static void do_fstat(const struct call *call, struct answer *a)
{
	struct stat st;
	int result = fstat(call_value(call, 0), &st);

	answer_stat(a, result, &st);
}

static void do_fstatat(const struct call *call, struct answer *a)
{
	struct stat st;
	int result = fstatat(call_value(call, 0), call_path(call, 1), &st, call_value(call, 2));

	answer_stat(a, result, &st);
}

static void do_stat64(const struct call *call, struct answer *a)
{
	struct stat64 st;
	int result = stat64(call_path(call, 0), &st);

	answer_result(a, result);
	if (!result)
		answer_status(a, st.st_mode, st.st_nlink, st.st_uid, st.st_rdev);
}

static void do_statx(const struct call *call, struct answer *a)
{
	struct statx st;
	int result = statx(call_value(call, 0), call_path(call, 1), call_value(call, 2),
			   STATX_BASIC_STATS, &st);

	answer_result(a, result);
	if (!result)
		answer_status(a, st.stx_mode, st.stx_nlink, st.stx_uid,
			      (uint64_t)makedev(st.stx_rdev_major, st.stx_rdev_minor));
}

static void do_access(const struct call *call, struct answer *a)
{
	answer_result(a, access(call_path(call, 0), call_value(call, 1)));
}

static void do_faccessat(const struct call *call, struct answer *a)
{
	answer_result(a, faccessat(call_value(call, 0), call_path(call, 1), call_value(call, 2),
				   call_value(call, 3)));
}

/* ---- links --------------------------------------------------------------- */

static void answer_link(struct answer *a, char *target, ssize_t length)
{
	if (length < 0) {
		answer_result(a, length);
		return;
	}
	target[length] = 0;
	answer(a, "0");
	answer_text(a, "target", target);
}

static void do_readlink(const struct call *call, struct answer *a)
{
	char target[512];

	answer_link(a, target, readlink(call_path(call, 0), target, sizeof(target) - 1));
}

static void do_readlinkat(const struct call *call, struct answer *a)
{
	char target[512];

	answer_link(
		a, target,
		readlinkat(call_value(call, 0), call_path(call, 1), target, sizeof(target) - 1));
}

/* A buffer that the link does not fit in: readlink() cuts it without a word. */
static void do_readlink_short(const struct call *call, struct answer *a)
{
	char target[9];

	answer_link(a, target, readlink(call_path(call, 0), target, sizeof(target) - 1));
}

static void do_fdlink(const struct call *call, struct answer *a)
{
	char path[64], target[512];

	snprintf(path, sizeof(path), "/proc/self/fd/%ld", call_value(call, 0));
	answer_link(a, target, readlink(path, target, sizeof(target) - 1));
}

static void do_realpath(const struct call *call, struct answer *a)
{
	char *real = realpath(call_path(call, 0), NULL);

	answer_result(a, real ? 0 : -1);
	if (real)
		answer_text(a, "path", real);
	free(real);
}

static void do_getcwd(const struct call *call, struct answer *a)
{
	char path[512];

	(void)call;
	answer_result(a, getcwd(path, sizeof(path)) ? 0 : -1);
	answer_text(a, "path", path);
}

/* ---- extended attributes -------------------------------------------------- */

static void do_getxattr(const struct call *call, struct answer *a)
{
	char value[256];

	answer_result(a, getxattr(call_path(call, 0), call_text(call, 1), value, sizeof(value)));
}

static void do_lgetxattr(const struct call *call, struct answer *a)
{
	char value[256];

	answer_result(a, lgetxattr(call_path(call, 0), call_text(call, 1), value, sizeof(value)));
}

static void do_listxattr(const struct call *call, struct answer *a)
{
	char list[256];

	answer_result(a, listxattr(call_path(call, 0), list, sizeof(list)));
}

static void do_llistxattr(const struct call *call, struct answer *a)
{
	char list[256];

	answer_result(a, llistxattr(call_path(call, 0), list, sizeof(list)));
}

/* ---- directories and files ----------------------------------------------- */

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static char entry_type(const struct dirent *entry)
{
	switch (entry->d_type) {
	case DT_CHR:
		return 'c';
	case DT_DIR:
		return 'd';
	case DT_LNK:
		return 'l';
	case DT_REG:
		return 'f';
	default:
		return '?';
	}
}

static size_t add_entry(char *names, size_t used, size_t size, const struct dirent *entry)
{
	int length = snprintf(names + used, size - used, "%s%s/%c", used ? "," : "", entry->d_name,
			      entry_type(entry));

	return used + length < size ? used + length : size - 1;
}

static void do_scandir(const struct call *call, struct answer *a)
{
	static char names[ANSWER_LENGTH / 2];
	struct dirent **list;
	int nr = scandir(call_path(call, 0), &list, visible, alphasort);
	size_t used = 0;

	answer_result(a, nr);
	if (nr < 0)
		return;
	names[0] = 0;
	for (int i = 0; i < nr; i++) {
		used = add_entry(names, used, sizeof(names), list[i]);
		free(list[i]);
	}
	free(list);
	answer_text(a, "names", names);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void answer_directory(struct answer *a, DIR *directory)
{
	static char names[ANSWER_LENGTH / 2], entries[64][64];
	struct dirent *entry;
	size_t used = 0;
	int nr = 0;

	while (nr < 64 && (entry = readdir(directory)))
		snprintf(entries[nr++], sizeof(entries[0]), "%.60s/%c", entry->d_name,
			 entry_type(entry));
	qsort(entries, nr, sizeof(entries[0]), by_name);

	names[0] = 0;
	for (int i = 0; i < nr && used < sizeof(names); i++)
		used += snprintf(names + used, sizeof(names) - used, "%s%s", i ? "," : "",
				 entries[i]);
	answer(a, "%d", nr);
	answer_text(a, "names", names);
}

static void do_list(const struct call *call, struct answer *a)
{
	DIR *directory = opendir(call_path(call, 0));

	if (!directory) {
		answer_result(a, -1);
		return;
	}
	answer_directory(a, directory);
	closedir(directory);
}

/* The entries of a directory that is already open; the descriptor is kept. */
static void do_fdlist(const struct call *call, struct answer *a)
{
	int fd = dup(call_value(call, 0));
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory) {
		answer_result(a, -1);
		if (fd >= 0)
			close(fd);
		return;
	}
	rewinddir(directory);
	answer_directory(a, directory);
	closedir(directory);
}

/* By number; how long the entries are and in what order they come is the file system's. */
static void do_getdents(const struct call *call, struct answer *a)
{
	static char names[ANSWER_LENGTH / 2], entries[64][64];
	_Alignas(struct dirent64) char buffer[4096];
	long length = syscall(SYS_getdents64, call_value(call, 0), buffer, call_value(call, 1));
	size_t used = 0;
	int nr = 0;

	if (length < 0) {
		answer_result(a, length);
		return;
	}
	for (long at = 0; at < length && nr < 64;) {
		const struct dirent64 *entry = (void *)(buffer + at);

		snprintf(entries[nr++], sizeof(entries[0]), "%.60s", entry->d_name);
		at += entry->d_reclen;
	}
	qsort(entries, nr, sizeof(entries[0]), by_name);
	names[0] = 0;
	for (int i = 0; i < nr; i++)
		used += snprintf(names + used, sizeof(names) - used, "%s%s", i ? "," : "",
				 entries[i]);
	answer(a, "%d", nr);
	answer_text(a, "names", names);
}

static void do_cat(const struct call *call, struct answer *a)
{
	char content[128];
	int fd = open(call_path(call, 0), O_RDONLY);
	ssize_t length = fd < 0 ? -1 : read(fd, content, sizeof(content) - 1);

	answer_result(a, length);
	if (length >= 0) {
		content[length] = 0;
		answer_text(a, "text", content);
	}
	if (fd >= 0)
		close(fd);
}

static void do_fcat(const struct call *call, struct answer *a)
{
	FILE *file = fopen(call_path(call, 0), "r");
	char line[128] = "";

	answer_result(a, file ? 0 : -1);
	if (!file)
		return;
	if (fgets(line, sizeof(line), file))
		answer_text(a, "text", line);
	fclose(file);
}

const struct operation look_operations[] = {
	{"stat", do_stat},
	{"lstat", do_lstat},
	{"fstat", do_fstat},
	{"fstatat", do_fstatat},
	{"stat64", do_stat64},
	{"statx", do_statx},
	{"access", do_access},
	{"faccessat", do_faccessat},
	{"readlink", do_readlink},
	{"readlinkat", do_readlinkat},
	{"readlink_short", do_readlink_short},
	{"fdlink", do_fdlink},
	{"realpath", do_realpath},
	{"getcwd", do_getcwd},
	{"getxattr", do_getxattr},
	{"lgetxattr", do_lgetxattr},
	{"listxattr", do_listxattr},
	{"llistxattr", do_llistxattr},
	{"scandir", do_scandir},
	{"list", do_list},
	{"fdlist", do_fdlist},
	{"getdents", do_getdents},
	{"cat", do_cat},
	{"fcat", do_fcat},
	{NULL, NULL},
};
