/*
 * names NAME, names list
 *
 * A driver that opens the pagemap of its own process by one of its names, in one of
 * many ways, and looks up a page. The address must be right, and the kernel must not
 * be able to move the page to another NUMA node. "other" looks at another process,
 * whose page need not stay.
 *
 * Exit status: 0, or 1 after a line that says which check failed.
 */
#define _GNU_SOURCE
#include "legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "names: %s failed: %s\n", what, strerror(errno));
	exit(1);
}

static void *page(void)
{
	char *va =
		mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(va != MAP_FAILED, "mmap");
	*va = 1;
	return va;
}

/* Returns the page frame number, or 0. */
static uint64_t ask(int fd, const void *va)
{
	uint64_t entry;

	need(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)va / PAGE_SIZE * sizeof(entry))) ==
		     sizeof(entry),
	     "a lookup");
	return entry >> 63 ? entry & ((UINT64_C(1) << 55) - 1) : 0;
}

/* True if the kernel can move the page to the other node. */
static int moves(void *va)
{
	int node = -1, status = -1;

	need(!syscall(SYS_move_pages, 0, 1L, &va, NULL, &node, 0), "move_pages");
	node = !node;
	syscall(SYS_move_pages, 0, 1L, &va, &node, &status, 2);
	return status == node;
}

static int stays(int fd)
{
	void *va = page();

	need(fd >= 0, "open");
	need(ask(fd, va) != 0, "the address");
	errno = 0;
	need(!moves(va), "keeping the page in its place");
	return 0;
}

static int by(const char *format, int number)
{
	char path[128];

	snprintf(path, sizeof(path), format, number);
	return open(path, O_RDONLY);
}

static int self(void)
{
	return stays(open("/proc/self/pagemap", O_RDONLY));
}

static int task(void)
{
	return stays(by("/proc/self/task/%d/pagemap", (int)syscall(SYS_gettid)));
}

static int locked(void)
{
	need(!mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall");
	return task();
}

static void *in_thread(void *arg)
{
	(void)arg;
	stays(open("/proc/thread-self/pagemap", O_RDONLY));
	stays(by("/proc/%d/pagemap", (int)syscall(SYS_gettid)));
	return NULL;
}

static int thread(void)
{
	pthread_t id;

	need(!pthread_create(&id, NULL, in_thread, NULL), "a thread");
	return pthread_join(id, NULL);
}

static int directory(void)
{
	return stays(openat(open("/proc/self", O_PATH), "pagemap", O_RDONLY));
}

static int again(void)
{
	return stays(by("/proc/self/fd/%d", open("/proc/self/pagemap", O_RDONLY)));
}

static int stream(void)
{
	FILE *file = fopen("/proc/self/pagemap", "r");

	need(file != NULL, "fopen");
	return stays(fileno(file));
}

static int linked(void)
{
	unlink("/tmp/pages");
	need(!symlink("/proc/self/pagemap", "/tmp/pages"), "symlink");
	need(!stays(open("/tmp/pages", O_RDONLY)), "a link");
	need(!chdir("/tmp"), "chdir");
	return stays(open("pages", O_RDONLY));
}

static int bound(void)
{
	close(open("/tmp/bound", O_CREAT | O_WRONLY, 0600));
	need(!mount("/proc/self/pagemap", "/tmp/bound", NULL, MS_BIND, NULL), "mount");
	return stays(open("/tmp/bound", O_RDONLY));
}

static int mounted(void)
{
	mkdir("/tmp/proc", 0700);
	need(!mount("proc", "/tmp/proc", "proc", 0, NULL), "mount");
	need(!mount("none", "/proc", "tmpfs", 0, NULL), "mount");
	return stays(by("/tmp/proc/%d/pagemap", getpid()));
}

/* A lookup before chroot() has opened what it needs, as in a driver that has its device. */
static int rooted(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	stays(fd);
	mkdir("/tmp/root", 0700);
	need(!chroot("/tmp/root") && !chdir("/"), "chroot");
	return stays(fd);
}

static int become_another_user(unsigned int rights)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}};
	int fd = open("/proc/self/pagemap", O_RDONLY);

	stays(fd);
	data[0].effective = data[0].permitted = rights;
	need(!prctl(PR_SET_KEEPCAPS, 1) && !setresgid(65534, 65534, 65534) &&
		     !setresuid(65534, 65534, 65534) && !syscall(SYS_capset, &header, data),
	     "another user");
	return stays(fd);
}

static int dropped(void)
{
	return become_another_user(1 << CAP_SYS_RAWIO | 1 << CAP_IPC_LOCK);
}

static int powerless(void)
{
	return become_another_user(0);
}

/* Uses up all descriptors. Returns the last one. */
static int take_all(void)
{
	struct rlimit limit = {256, 256};
	int last = -1, fd;

	need(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	while ((fd = dup(0)) >= 0)
		last = fd;
	return last;
}

/* All descriptors are in use. If one is closed, only its number can be had again. */
static int need_taken(int one)
{
	need(dup(0) < 0 && errno == EMFILE, "running out of descriptors");
	close(one);
	need(dup(0) == one && dup(0) < 0, "the descriptor that was given back");
	return 0;
}

static int full(void)
{
	self();
	close(take_all());
	return stays(open("/proc/self/pagemap", O_RDONLY));
}

/* The first lookup: it needs descriptors for the device that lends its page table. */
static int overfull(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY), last = take_all();

	stays(fd);
	return need_taken(last);
}

static int with_the_last(void)
{
	int last = take_all(), fd;

	close(last);
	fd = open("/proc/self/pagemap", O_RDONLY);
	need(fd == last, "the number");
	stays(fd);
	return need_taken(3);
}

static int sent(void)
{
	char text[8] = "", control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec data = {text, 1};
	struct msghdr msg = {.msg_iov = &data,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int ends[2], fd;

	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	if (!fork()) {
		fd = by("/proc/%d/pagemap", getppid());
		*head = (struct cmsghdr){CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
		_exit(sendmsg(ends[1], &msg, 0) != 1);
	}
	need(recvmsg(ends[0], &msg, 0) == 1 && CMSG_FIRSTHDR(&msg), "recvmsg");
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return stays(fd);
}

/* In a fork() child, which hides its parent's /proc. */
static int forked(void)
{
	int status = -1;

	if (!fork()) {
		need(!mount("none", "/proc", "tmpfs", 0, NULL) || errno == EBUSY, "mount");
		mkdir("/tmp/proc2", 0700);
		need(!mount("proc", "/tmp/proc2", "proc", 0, NULL), "mount");
		_exit(stays(open("/tmp/proc2/self/pagemap", O_RDONLY)));
	}
	wait(&status);
	errno = 0;
	need(!status, "the child");
	return 0;
}

/* Under a number that a vfork() child has used in the same memory. */
static int vforked(void)
{
	if (!vfork())
		_exit(open("/proc/self/pagemap", O_RDONLY) < 0);
	return self();
}

static int other(void)
{
	void *va = page();
	pid_t child = fork();
	int fd;

	if (!child) {
		*(char *)va = 2;
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, NULL, WUNTRACED);
	fd = by("/proc/%d/pagemap", child);
	need(ask(fd, va) != 0, "the address of another process");
	need(ask(fd, va) != ask(open("/proc/self/pagemap", O_RDONLY), va), "telling the two apart");
	kill(child, SIGKILL);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} ways[] = {
	{"self", self},		  {"task", task},	    {"locked", locked},
	{"thread", thread},	  {"again", again},	    {"stream", stream},
	{"linked", linked},	  {"directory", directory}, {"bound", bound},
	{"mounted", mounted},	  {"rooted", rooted},	    {"dropped", dropped},
	{"powerless", powerless}, {"full", full},	    {"overfull", overfull},
	{"last", with_the_last},  {"sent", sent},	    {"forked", forked},
	{"vforked", vforked},	  {"other", other},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(ways); i++) {
		if (!strcmp(argv[1], "list"))
			puts(ways[i].name);
		else if (!strcmp(argv[1], ways[i].name))
			return ways[i].run();
	}
	if (argc == 2 && !strcmp(argv[1], "list"))
		return 0;
	fprintf(stderr, "usage: names NAME | names list\n");
	return 2;
}
