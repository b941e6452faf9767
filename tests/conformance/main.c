/* SPDX-License-Identifier: MIT */
#include "conformance.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct next the;

/* A case that takes longer hangs. */
#define SECONDS 20

void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("  ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
}

void say(const char *what, long value, int error)
{
	if (error == UNTOUCHED)
		tell("%s = %ld", what, value);
	else
		tell("%s = %ld, errno %d", what, value, error);
}

void tell_bytes(const void *bytes, long len)
{
	const unsigned char *byte = bytes;

	printf("  \"");
	for (long i = 0; i < len; i++)
		printf(byte[i] >= ' ' && byte[i] <= '~' ? "%c" : "\\%03o", byte[i]);
	printf("\"\n");
}

/* By system calls: what the descriptor is, not what somebody says it were. */
void tell_and_close(int fd)
{
	struct stat st;

	if (fd < 0)
		return;
	if (syscall(SYS_fstat, fd, &st))
		st.st_size = -1;
	tell("fd %d flags 0%lo/%ld position %ld size %ld", fd, syscall(SYS_fcntl, fd, F_GETFL),
	     syscall(SYS_fcntl, fd, F_GETFD), syscall(SYS_lseek, fd, 0L, SEEK_CUR),
	     S_ISREG(st.st_mode) ? (long)st.st_size : 0);
	syscall(SYS_close, fd);
}

/* Among them those that the library has to look at twice. */
static char too_long[PATH_MAX + 10];
const char *const paths[] = {
	"file",
	"dir",
	"link",
	"dangling",
	"loop",
	"none",
	"none/file",
	"file/",
	"file/x",
	"dir/../file",
	"",
	".",
	"noiommu-7",
	"pagemap",
	"vfio",
	"7",
	"dir/noiommu-0",
	"vfio/none",
	"dir/iommu_group",
	"/dev/null",
	"/proc/self/status",
	"/sys/none/iommu_group/x",
	too_long,
	BAD,
	NULL,
};

const char *shown(const char *path)
{
	if (path == BAD)
		return "(bad)";
	if (path == too_long)
		return "(too long)";
	return path;
}

int own_file(int flags)
{
	return (int)syscall(SYS_openat, AT_FDCWD, "file", flags, 0);
}

static void put(const char *name, const char *text)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT, 0644);

	if (fd < 0 || syscall(SYS_write, fd, text, strlen(text)) < 0)
		abort();
	syscall(SYS_close, fd);
}

/* Files of any sort; some have names that a driver would use. */
static void populate(const char *name)
{
	memset(too_long, 'x', sizeof(too_long) - 1);
	if (mkdir(name, 0755) || chdir(name) || mkdir("dir", 0755) || mkfifo("fifo", 0644) ||
	    symlink("file", "link") || symlink("none", "dangling") || symlink("loop", "loop"))
		abort();
	put("file", "The quick brown fox jumps over the lazy dog.\n");
	put("dir/noiommu-0", "zero\n");
	put("noiommu-7", "seven\n");
	put("pagemap", "no map of pages, but a file of that name\n");
	put("vfio", "no container\n");
	put("7", "7\n");
}

static void in_child(const char *name, void (*run)(void))
{
	int status;

	printf("%s\n", name);
	fflush(stdout);
	if (!fork()) {
		alarm(SECONDS);
		populate(name);
		run();
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	if (WIFSIGNALED(status))
		printf("  died of signal %d\n", WTERMSIG(status));
	else if (status)
		printf("  exit status %d\n", WEXITSTATUS(status));
}

/* What this libc has not, no program for it calls. */
static void find(void)
{
	void *libc = dlopen(LIBC, RTLD_LAZY);

#define SYM(type, name, params)                                                                    \
	if (dlsym(libc, #name))                                                                    \
		*(void **)&the.name = dlsym(RTLD_DEFAULT, #name);
#include "preload/symbols.def"
#undef SYM
}

static void all_cases(void)
{
#define SYM(type, name, params)                                                                    \
	if (the.name)                                                                              \
		in_child(#name, case_##name);                                                      \
	else                                                                                       \
		printf("%s: this libc has none\n", #name);
#include "preload/symbols.def"
#undef SYM
}

/* The directory is a new, empty one. */
int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]))
		return 2;
	umask(022);
	setvbuf(stdout, NULL, _IOLBF, 0);
	find();
	all_cases();
	for (const struct scenario *s = scenarios; s->name; s++)
		in_child(s->name, s->run);
	return 0;
}
