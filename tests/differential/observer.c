/* SPDX-License-Identifier: MIT */
/*
 * What a sequence has left behind, as another process sees it that is not under
 * the library: this program, executed once more. It is asked over a socket and
 * ends when the other end of that does.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "differential.h"

enum { REPORT_LENGTH = 1024 };

struct request {
	pid_t pid;
	bool first; /* to compare with later: the devices can wait */
};

/* ---- the side of the observed -------------------------------------------- */

static int to_observer = -1;

/* Says where an observer is that somebody else has started. */
#define STARTED "DIFFERENTIAL_OBSERVER"

static int start(void)
{
	char number[16];
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends))
		err(2, "socketpair");
	snprintf(number, sizeof(number), "%d", ends[1]);
	pid = fork();
	if (pid < 0)
		err(2, "fork");
	if (!pid) {
		close(ends[0]);
		execle("/proc/self/exe", "differential", "--devices", world_addresses(),
		       "--observe", number, (char *)NULL, (char *[]){NULL});
		_exit(127);
	}
	close(ends[1]);
	return ends[0];
}

void observer_start(void)
{
	const char *started = getenv(STARTED);

	to_observer = started ? atoi(started) : start();
	fcntl(to_observer, F_SETFD, FD_CLOEXEC);
}

int observer_precede(char **command)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", start());
	if (setenv(STARTED, number, 1))
		err(2, "setenv");
	execvp(command[0], command);
	err(2, "%s", command[0]);
}

static void ask(bool first, struct answer *a)
{
	struct request request = {.pid = getpid(), .first = first};
	char report[REPORT_LENGTH];
	ssize_t length = -1;

	if (send(to_observer, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request))
		length = recv(to_observer, report, sizeof(report) - 1, 0);
	if (length <= 0)
		errx(2, "the observer does not answer");
	report[length] = 0;
	answer(a, " outside:%s", report);
}

void observer_meet(void)
{
	static struct answer ignored;

	ask(true, &ignored);
}

void observer_look(struct answer *a)
{
	ask(false, a);
}

/* ---- the observer: descriptors and pins ---------------------------------- */

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* All of them, what the library hides from the program too. */
static int count_fds(pid_t pid)
{
	char path[64];
	DIR *directory;
	int nr = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	while (directory && readdir(directory))
		nr++;
	if (directory)
		closedir(directory);
	return nr;
}

static long pinned(pid_t pid)
{
	char path[64], line[256];
	long kilobytes = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (begins(line, "VmPin:"))
			kilobytes = strtol(line + strlen("VmPin:"), NULL, 10);
	if (file)
		fclose(file);
	return kilobytes;
}

/* ---- the observer: devices ----------------------------------------------- */

#define BIND_IOMMUFD _IO(';', 118)

struct bind_iommufd {
	uint32_t argsz;
	uint32_t flags;
	int32_t iommufd;
	uint32_t out_devid;
};

static int iommufd;
static struct {
	char group[96], cdev[96];
} nodes[MAX_DEVICES];

static int bind_and_close(const char *cdev)
{
	struct bind_iommufd bind = {.argsz = sizeof(bind), .iommufd = iommufd};
	int fd = open(cdev, O_RDWR | O_CLOEXEC), error;

	if (fd < 0)
		return errno;
	error = ioctl(fd, BIND_IOMMUFD, &bind) ? errno : 0;
	close(fd);
	return error;
}

static int open_and_close(const char *group)
{
	int fd = open(group, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/*
 * Free is a device whose group opens and whose cdev takes an iommufd, as far as
 * the kernel has them. For a slow device the group and the count of descriptors
 * have to do: to bind it is to reset it.
 */
static int test_device(int i)
{
	int error = open_and_close(nodes[i].group);

	if (error && error != ENOENT)
		return error;
	if (world_profile()[i] == 's' || iommufd < 0 || !*nodes[i].cdev)
		return 0;
	return bind_and_close(nodes[i].cdev);
}

static void report(const struct request *request, struct answer *a)
{
	static int fds_at_start;
	int fds = count_fds(request->pid);

	a->used = 0;
	answer(a, " fds=%+d pinned=%ld", fds - fds_at_start, pinned(request->pid));
	for (int i = 0; i < world_devices() && !request->first; i++) {
		int error = test_device(i);

		answer(a, " %c=%s", 'A' + i, error ? strerrorname_np(error) : "free");
	}
	fds_at_start = fds;
}

int observe(int fd)
{
	static struct answer a;
	struct request request;

	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < world_devices(); i++) {
		world_group_node(i, nodes[i].group, sizeof(nodes[i].group));
		world_cdev_node(i, nodes[i].cdev, sizeof(nodes[i].cdev));
	}
	while (recv(fd, &request, sizeof(request), 0) == sizeof(request)) {
		report(&request, &a);
		if (send(fd, a.text, a.used, MSG_NOSIGNAL) != (ssize_t)a.used)
			return 1;
	}
	return 0;
}
