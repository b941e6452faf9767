/* SPDX-License-Identifier: MIT */
/*
 * A handler on an alternate stack, a coroutine, or a thread of a runtime has
 * a stack that is measured for libc's functions. What ours take more is bounded.
 */
#include "conformance.h"

#include <aio.h>
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define SIZE	(256UL << 10)
#define ALLOWED 1024 /* more than libc; CONFORMANCE_STACK, where it is set */
#define UNUSED	0x5a

static struct next libc;
static unsigned char *area;

/* Where each call has what it needs. */
static int file, dir, ends[2];
static char buf[8192];
static struct stat st;
static struct statx stx;
static char *map;
static FILE *stream, *entries;

static void open_file(const struct next *by)
{
	syscall(SYS_close, by->open("file", O_RDONLY));
}

static void create_file(const struct next *by)
{
	syscall(SYS_close, by->openat(AT_FDCWD, "created", O_CREAT | O_RDWR | O_TRUNC, 0644));
}

static void open_like_ours(const struct next *by)
{
	syscall(SYS_close, by->open("noiommu-7", O_RDONLY));
	by->open("dir/iommu_group", O_RDONLY);
	by->open("/dev/vfio/none", O_RDONLY);
}

static void open_pagemap(const struct next *by)
{
	int fd = by->open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	by->pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)map / 4096 * 8));
	by->close(fd);
}

static void call_names(const struct next *by)
{
	by->stat("file", &st);
	by->lstat("/sys/none/iommu_group", &st);
	by->fstatat(AT_FDCWD, "dir/noiommu-1", &st, 0);
	by->fstat(file, &st);
	by->statx(AT_FDCWD, "/dev/vfio/none", 0, STATX_BASIC_STATS, &stx);
	by->access("dir/iommu_group", R_OK);
	by->faccessat(AT_FDCWD, "dir/iommu_group", R_OK, 0);
	by->getxattr("dir/iommu_group", "user.none", buf, sizeof(buf));
}

static void call_links(const struct next *by)
{
	by->readlink("link", buf, sizeof(buf));
	by->readlink("/proc/self/cwd", buf, sizeof(buf));
	by->readlinkat(AT_FDCWD, "/proc/self/fd/0", buf, sizeof(buf));
	by->readlink("dir/iommu_group", buf, sizeof(buf));
}

static void resolve(const struct next *by)
{
	by->realpath("dir/iommu_group", buf);
	by->realpath("link", buf);
}

static void change_directory(const struct next *by)
{
	by->chdir("dir");
	by->chdir("..");
	by->chdir("dir/iommu_group");
	by->fchdir(dir);
	by->getcwd(buf, sizeof(buf));
}

static void list_entries(const struct next *by)
{
	syscall(SYS_lseek, dir, 0L, SEEK_SET);
	by->getdents64(dir, buf, sizeof(buf));
	syscall(SYS_lseek, dir, 0L, SEEK_SET);
	by->syscall(SYS_getdents64, dir, buf, sizeof(buf));
}

static void list_stream(const struct next *by)
{
	DIR *listed = by->opendir(".");

	while (by->readdir(listed))
		;
	by->closedir(listed);
}

static void transfer(const struct next *by)
{
	by->read(file, buf, 8);
	by->pread(file, buf, 8, 0);
	by->write(file, buf, 8);
	by->readv(file, &(struct iovec){buf, 8}, 1);
	by->preadv2(file, &(struct iovec){buf, 8}, 1, 0, 0);
	by->ioctl(file, FIONREAD, buf);
	by->ioctl(file, 0x3b64, buf);
	by->syscall(SYS_read, file, buf, 8);
}

static void receive(const struct next *by)
{
	union {
		struct cmsghdr part;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.part = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec iov = {buf, 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.part), &file, sizeof(int));
	sendmsg(ends[0], &msg, 0);
	by->recvmsg(ends[1], &msg, 0);
	syscall(SYS_close, *(int *)CMSG_DATA(&control.part));
}

static void duplicate(const struct next *by)
{
	by->dup2(file, 50);
	by->fcntl(file, F_GETFL);
	by->close_range(50, 60, 0);
}

static void change_memory(const struct next *by)
{
	by->mmap(map, 4096, PROT_READ, MAP_FIXED | MAP_PRIVATE, file, 0);
	by->madvise(map, 4096, MADV_DONTNEED);
	by->mremap(map, 8192, 4096, 0);
	by->munmap(map + 4096, 4096);
	by->ftruncate(file, 4096);
	by->fallocate(file, 0, 0, 4096);
	by->truncate("created", 4096);
}

static void take_from_stream(const struct next *by)
{
	by->fread(buf, 1, 8, stream);
	by->fgetc(stream);
	fseek(entries, (long)((uintptr_t)map / 4096 * 8), SEEK_SET);
	by->fread(buf, 8, 8, entries);
	by->fgetc(entries);
}

static void open_stream(const struct next *by)
{
	by->fclose(by->fopen("file", "r"));
	by->fopen("dir/iommu_group", "r");
}

static void (*measured)(const struct next *by);
static const struct next *measured_by;

static void on_it(int signal)
{
	(void)signal;
	measured(measured_by);
}

/* How deep the calls reach into an alternate stack. */
static size_t depth(void (*calls)(const struct next *by), const struct next *by)
{
	size_t unused = 0;

	measured = calls;
	measured_by = by;
	/* What is done once is not to be counted, and the stack is to be there. */
	for (int i = 0; i < 2; i++) {
		memset(area, UNUSED, SIZE);
		raise(SIGUSR1);
	}
	while (unused < SIZE && area[unused] == UNUSED)
		unused++;
	return SIZE - unused;
}

static void prepare(void)
{
	void *handle = dlopen(LIBC, RTLD_LAZY);
	const stack_t stack = {.ss_sp = area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
						    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			       .ss_size = SIZE};
	const struct sigaction action = {.sa_handler = on_it, .sa_flags = SA_ONSTACK};

#define SYM(type, name, params) *(void **)&libc.name = dlsym(handle, #name);
#include "preload/symbols.def"
#undef SYM
	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		abort();
	file = (int)syscall(SYS_openat, AT_FDCWD, "file", O_RDWR, 0);
	dir = (int)syscall(SYS_openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, 0);
	map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stream = fopen("file", "r");
	entries = fopen("/proc/self/pagemap", "r");
}

void small_stacks(void)
{
	static const struct {
		const char *name;
		void (*calls)(const struct next *by);
	} all[] = {
		{"open", open_file},	    {"creating", create_file},
		{"names", call_names},	    {"names like ours", open_like_ours},
		{"pagemap", open_pagemap},  {"links", call_links},
		{"realpath", resolve},	    {"directory", change_directory},
		{"getdents", list_entries}, {"readdir", list_stream},
		{"transfer", transfer},	    {"recvmsg", receive},
		{"dup", duplicate},	    {"memory", change_memory},
		{"streams", open_stream},   {"fread", take_from_stream},
	};

	const char *set = getenv("CONFORMANCE_STACK");
	size_t allowed = set ? strtoul(set, NULL, 10) : ALLOWED;

	prepare();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t native = depth(all[i].calls, &libc), ours = depth(all[i].calls, &the);

		if (ours > native + allowed)
			tell("%s: %zu bytes of stack, of which libc needs %zu", all[i].name, ours,
			     native);
	}
}
