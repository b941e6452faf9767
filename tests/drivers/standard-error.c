/*
 * standard-error NAME BDF, standard-error list
 *
 * A driver whose standard error is something unusual. It never writes there itself.
 * But it opens a group twice, which is refused, and the library between it and the
 * kernel may log that. This must harm neither the driver nor its open files.
 *
 * The driver itself is this program again, with the argument "driver" and the standard
 * error that NAME describes. Its parent looks at its exit status.
 *
 * Exit status: 0, or 1 after a line that says what went wrong.
 */
#define _GNU_SOURCE
#include "legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PATIENCE      20 /* seconds; nothing here takes as long as one */

static char *program, *name, *bdf;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	printf("%s: %s failed (errno: %s)\n", name, what, strerror(errno));
	exit(1);
}

/* ---- the driver -------------------------------------------------------- */

/* The second open is refused, and the library logs that. */
static void ask_twice(void)
{
	char path[64];
	int first, second;

	snprintf(path, sizeof(path), "/dev/vfio/noiommu-%d", legacy_group_number(bdf));
	first = open(path, O_RDWR);
	need(first >= 0, "opening the group");
	second = open(path, O_RDWR);
	need(second < 0 && errno == EBUSY, "being refused the group");
	close(first);
}

static int anonymous_file(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	need(fd >= 0, "making a file");
	return fd;
}

/* The driver's own data file gets descriptor 2. */
static void replace(void)
{
	close(2);
	need(anonymous_file() == 2, "getting number 2");
	ask_twice();
	need(lseek(2, 0, SEEK_END) == 0, "finding its data as they were");
}

static void inherit_none(void)
{
	need(anonymous_file() == 2, "getting number 2");
	ask_twice();
	need(lseek(2, 0, SEEK_END) == 0, "finding its data as they were");
}

/* A daemon closes it to report that it is ready. */
static void close_it(void)
{
	close(2);
	ask_twice();
	pause();
}

static void read_under_limit(void)
{
	static const struct rlimit none;
	char path[128], text[64];
	int fd;

	need(!setrlimit(RLIMIT_FSIZE, &none), "setrlimit");
	ask_twice();
	snprintf(path, sizeof(path), "/sys/kernel/iommu_groups/%d/name", legacy_group_number(bdf));
	fd = open(path, O_RDONLY);
	if (fd >= 0)
		need(read(fd, text, sizeof(text)) > 0, "reading the name of the group");
}

/* ---- its standard error ------------------------------------------------ */

static pid_t driver; /* its pid */
static int reader;

static int make_pipe(void)
{
	int ends[2];

	need(!pipe2(ends, O_CLOEXEC), "pipe2");
	reader = ends[0];
	return ends[1];
}

static int make_full_pipe(void)
{
	static const char some[4096];
	int fd = make_pipe();

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (size_t len = sizeof(some); len; len /= 2)
		while (write(fd, some, len) > 0)
			;
	fcntl(fd, F_SETFL, 0);
	return fd;
}

static int make_broken_pipe(void)
{
	int fd = make_pipe();

	close(reader);
	return fd;
}

static int make_terminal(void)
{
	reader = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	need(reader >= 0 && !grantpt(reader) && !unlockpt(reader), "making a terminal");
	return open(ptsname(reader), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int make_stopped_terminal(void)
{
	int fd = make_terminal();

	need(!tcflow(fd, TCOOFF), "tcflow");
	return fd;
}

static int make_none(void)
{
	return -1;
}

/* ---- how the driver must end ------------------------------------------- */

static void need_end(void)
{
	int status;

	for (int i = 0; i < PATIENCE * 10; i++) {
		pid_t ended = waitpid(driver, &status, WNOHANG | WUNTRACED);

		if (ended == driver) {
			need(!WIFSTOPPED(status), "going on");
			need(WIFEXITED(status), "ending by itself");
			exit(WEXITSTATUS(status));
		}
		usleep(100000);
	}
	kill(driver, SIGTERM);
	usleep(500000);
	need(waitpid(driver, &status, WNOHANG) == driver, "ending by SIGTERM");
	need(false, "not to wait for a reader");
}

static void need_end_of_file(void)
{
	struct pollfd poll_in = {.fd = reader, .events = POLLIN};
	char text[512];
	ssize_t n;

	do {
		need(poll(&poll_in, 1, PATIENCE * 1000) == 1, "seeing the end of the pipe");
		n = read(reader, text, sizeof(text));
	} while (n > 0);
	need(!waitpid(driver, NULL, WNOHANG), "living on");
	kill(driver, SIGKILL);
}

/*
 * Continues as a background job of its terminal, in which a write would stop it. Its
 * parent, in the same session, passes on its exit status.
 */
static void go_to_background(void)
{
	struct termios settings;
	int status;

	need(setsid() > 0 && !ioctl(2, TIOCSCTTY, 0), "TIOCSCTTY");
	need(!tcgetattr(2, &settings), "tcgetattr");
	settings.c_lflag |= TOSTOP;
	need(!tcsetattr(2, TCSANOW, &settings), "tcsetattr");
	driver = fork();
	if (!driver) {
		setpgid(0, 0);
		return;
	}
	need(waitpid(driver, &status, WUNTRACED) == driver, "waitpid");
	need(WIFEXITED(status), "not to be stopped");
	exit(WEXITSTATUS(status));
}

static const struct {
	const char *name;
	int (*make)(void);
	void (*drive)(void);
	void (*judge)(void);
} all[] = {
	{"replaced", make_pipe, replace, need_end},
	{"none", make_none, inherit_none, need_end},
	{"closed", make_pipe, close_it, need_end_of_file},
	{"full", make_full_pipe, ask_twice, need_end},
	{"broken", make_broken_pipe, ask_twice, need_end},
	{"limit", anonymous_file, read_under_limit, need_end},
	{"stopped", make_stopped_terminal, ask_twice, need_end},
	{"background", make_terminal, ask_twice, need_end},
};

static void start(int fd)
{
	if (fd >= 0)
		dup2(fd, 2);
	else
		close(2);
	if (!strcmp(name, "background"))
		go_to_background();
	execlp(program, program, "driver", name, bdf, NULL);
	need(false, "execlp");
}

static void run(size_t i)
{
	int fd = all[i].make();

	driver = fork();
	need(driver >= 0, "fork");
	if (!driver)
		start(fd);
	if (fd >= 0)
		close(fd);
	all[i].judge();
}

int main(int argc, char **argv)
{
	bool is_driver = argc == 4 && !strcmp(argv[1], "driver");

	program = argv[0];
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (size_t i = 0; i < ARRAY_SIZE(all); i++)
			puts(all[i].name);
		return 0;
	}
	if (argc != 3 && !is_driver)
		return 2;
	name = argv[1 + is_driver];
	bdf = argv[2 + is_driver];
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (strcmp(all[i].name, name))
			continue;
		if (is_driver)
			all[i].drive();
		else
			run(i);
		return 0;
	}
	return 2;
}
