/*
 * init.c - the first process of the guest (see run-in-vm)
 *
 * It runs from a small initramfs, assembles the root file system from directories
 * of the host, binds the devices to vfio-pci, runs one command, passes its output
 * to the host, reports its exit status and powers off. A child of it does so from the
 * command on, so that on SIGUSR1 systemd can become the first process.
 *
 * The host says what to do by files in a directory named "plan". Each file is a list
 * of NUL-terminated strings, so that nothing has to be quoted:
 *
 *	argv	the command
 *	env	its environment; PWD is the directory to run it in, VM_DEVICES has
 *		the PCI devices to bind, VM_DRIVER the driver to bind them to
 *	shares	directories to mount, each at its own path; the first is the
 *		root file system, the Nth has the 9p tag "shareN"
 *
 * The output goes through virtio ports, as a port passes bytes unchanged, while a
 * console would turn \n into \r\n:
 *
 *	1, 2	the command's stdout and stderr
 *	3	a line "up" once the guest has started, "exit N" at the end
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLAN "/plan"
#define ROOT "/newroot"

enum port { PORT_STDOUT = 1, PORT_STDERR, PORT_STATUS };

static __attribute__((noreturn)) void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	_exit(1); /* the kernel panics, which the host notices */
}

/* Writes to the kernel's console. The host notices that no status came. */
static __attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	fprintf(stderr, "init: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", strerror(error));
	va_end(args);
	power_off();
}

/* Nothing is freed here, as the machine soon ends. */
static __attribute__((format(printf, 1, 2))) char *text(const char *format, ...)
{
	va_list args;
	char *s;

	va_start(args, format);
	if (vasprintf(&s, format, args) < 0)
		die("out of memory");
	va_end(args);
	return s;
}

/* ---- the plan ---------------------------------------------------------- */

/* Reads a file of NUL-terminated strings into a NULL-terminated array. */
static char **read_list(const char *path)
{
	FILE *file = fopen(path, "re");
	char **list = NULL;
	size_t n = 0, room;

	if (!file)
		die("%s", path);
	do {
		list = reallocarray(list, n + 1, sizeof(*list));
		if (!list)
			die("out of memory");
		list[n] = NULL;
		room = 0;
	} while (getdelim(&list[n++], &room, '\0', file) >= 0);
	list[n - 1] = NULL;
	fclose(file);
	return list;
}

/* ---- file systems ------------------------------------------------------ */

static void make_directories(const char *path)
{
	char *copy = text("%s", path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

static void mount_at(const char *path, const char *type, const char *source, unsigned long flags,
		     const char *options)
{
	make_directories(path);
	if (mount(source, path, type, flags, options) < 0)
		die("mounting %s at %s", type, path);
}

static void mount_9p(const char *path, const char *tag)
{
	/*
	 * The host changes none of these files for the guest, so the guest may cache
	 * them like its own.
	 */
	mount_at(path, "9p", tag, MS_RDONLY,
		 "trans=virtio,version=9p2000.L,msize=512000,cache=loose");
}

/* Mounts a directory of the host at the same path, with scratch space on top. */
static void mount_share(size_t number, const char *path)
{
	char *lower = text("/lower/%zu", number);
	char *upper = text("/scratch/%zu/upper", number);
	char *work = text("/scratch/%zu/work", number);

	mount_9p(lower, text("share%zu", number));
	make_directories(upper);
	make_directories(work);
	mount_at(text(ROOT "%s", path), "overlay", "overlay", 0,
		 text("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work));
}

static void make_root(char **shares)
{
	static const struct {
		const char *path, *type, *options;
	} mounts[] = {
		{"/proc", "proc", NULL},
		{"/sys", "sysfs", NULL},
		{"/sys/kernel/debug", "debugfs", NULL},
		{"/sys/fs/cgroup", "cgroup2", NULL},
		{"/dev", "devtmpfs", "mode=755"},
		{"/dev/pts", "devpts", "mode=620,ptmxmode=666"},
		{"/dev/shm", "tmpfs", "mode=1777"},
		{"/dev/hugepages", "hugetlbfs", NULL},
		/* Lock files and sockets of the host have no meaning here. */
		{"/run", "tmpfs", "mode=755"},
		{"/tmp", "tmpfs", "mode=1777"},
		{"/var/tmp", "tmpfs", "mode=1777"},
	};

	mount_at("/scratch", "tmpfs", "scratch", 0, "mode=755");
	mount_share(0, shares[0]);
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
		mount_at(text(ROOT "%s", mounts[i].path), mounts[i].type, mounts[i].type, 0,
			 mounts[i].options);
	for (size_t i = 1; shares[i]; i++)
		mount_share(i, shares[i]);

	/* pivot_root(2) does not work on an initramfs. */
	if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		die("changing to the new root");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

/* ---- devices ----------------------------------------------------------- */

static void write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		die("writing \"%s\" to %s", value, path);
	close(fd);
}

static void bind_device(const char *bdf, const char *driver)
{
	char *device = text("/sys/bus/pci/devices/%s", bdf);
	char *unbind = text("%s/driver/unbind", device);

	if (access(unbind, F_OK) == 0)
		write_file(unbind, bdf);
	write_file(text("%s/driver_override", device), driver);
	write_file("/sys/bus/pci/drivers_probe", bdf);
	if (access(text("/sys/bus/pci/drivers/%s/%s", driver, bdf), F_OK) < 0)
		die("%s does not bind to %s", bdf, driver);
}

static void bind_devices(void)
{
	char *list = text("%s", getenv("VM_DEVICES"));

	for (char *bdf = strtok(list, " "); bdf; bdf = strtok(NULL, " "))
		bind_device(bdf, getenv("VM_DRIVER"));
}

/* Loads modules that are not built in, in the order of their names. */
static void load_modules(void)
{
	glob_t found;

	if (glob("/modules/*.ko", 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);

		if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
			die("loading %s", found.gl_pathv[i]);
		close(fd);
	}
	globfree(&found);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die("bringing up lo");
	close(fd);
}

/* ---- output ------------------------------------------------------------ */

static int open_port(enum port number)
{
	char *pattern = text("/dev/vport*p%d", number);
	glob_t found;
	int fd = -1;

	/* A port appears some time after its bus, as the driver asks the host for it. */
	for (int tries = 0; fd < 0 && tries < 1000; tries++) {
		if (glob(pattern, 0, NULL, &found) == 0) {
			fd = open(found.gl_pathv[0], O_WRONLY | O_CLOEXEC);
			globfree(&found);
		} else {
			usleep(5000);
		}
	}
	if (fd < 0)
		die("%s", pattern);
	return fd;
}

static void write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0)
			die("writing to the host");
		data += n;
		size -= (size_t)n;
	}
}

static void report(int status_port, const char *line)
{
	write_all(status_port, line, strlen(line));
}

/* Copies one buffer. 0: end of file; negative: nothing to read now. */
static ssize_t pump(int from, int to)
{
	static char buffer[32 << 10]; /* what a port takes in one write */
	ssize_t n = read(from, buffer, sizeof(buffer));

	if (n > 0)
		write_all(to, buffer, (size_t)n);
	return n;
}

/* ---- the command ------------------------------------------------------- */

static pid_t start_command(char **argv, int out, int err)
{
	pid_t pid = fork();
	sigset_t none;

	if (pid != 0) {
		if (pid < 0)
			die("fork");
		return pid;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (chdir(getenv("PWD")) < 0)
		fprintf(stderr, "run-in-vm: cannot enter %s: %s\n", getenv("PWD"), strerror(errno));
	else if (execvp(argv[0], argv) < 0)
		fprintf(stderr, "run-in-vm: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126); /* as in a shell */
}

/*
 * Runs the command and returns its exit status as a shell does. Waits for the end of
 * the command, not of its output, as a daemon that it leaves may keep the pipes open.
 */
static int run_command(char **argv)
{
	enum { OUT, ERR, CHILD, SOURCES };
	struct pollfd sources[SOURCES];
	int ports[] = {[OUT] = open_port(PORT_STDOUT), [ERR] = open_port(PORT_STDERR)};
	int pipes[2][2], status = -1, how;
	sigset_t child_ended;
	pid_t command, pid;

	sigemptyset(&child_ended);
	sigaddset(&child_ended, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child_ended, NULL);
	sources[CHILD].fd = signalfd(-1, &child_ended, SFD_CLOEXEC);
	sources[CHILD].events = POLLIN;
	for (int i = OUT; i <= ERR; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			die("pipe");
		fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
		sources[i].fd = pipes[i][0];
		sources[i].events = POLLIN;
	}
	command = start_command(argv, pipes[OUT][1], pipes[ERR][1]);
	close(pipes[OUT][1]);
	close(pipes[ERR][1]);

	while (status < 0) {
		struct signalfd_siginfo info;

		if (poll(sources, SOURCES, -1) < 0)
			die("poll");
		if (sources[CHILD].revents)
			read(sources[CHILD].fd, &info, sizeof(info));
		while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
			if (pid == command)
				status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
		for (int i = OUT; i <= ERR; i++)
			if (pump(pipes[i][0], ports[i]) == 0)
				sources[i].fd = -1; /* poll() ignores it */
	}
	for (int i = OUT; i <= ERR; i++)
		while (pump(pipes[i][0], ports[i]) > 0)
			;
	return status;
}

/* ---- the first process --------------------------------------------------- */

/* Starts a child that goes on; the parent becomes no more than the first process. */
static void leave_to_child(void)
{
	pid_t child, pid;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		return;
	while (!sigwait(&set, &sig) && sig == SIGCHLD)
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			if (pid == child)
				power_off(); /* without a status */
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	execl("/lib/systemd/systemd", "systemd", "--unit=boot.target", NULL);
	die("systemd");
}

int main(void)
{
	char **argv, **env, **shares;
	int status_port;

	load_modules();
	/* The ports need devtmpfs. The plan says everything else. */
	mount_at("/dev", "devtmpfs", "devtmpfs", 0, NULL);
	status_port = open_port(PORT_STATUS);
	report(status_port, "up\n");

	mount_9p(PLAN, "plan");
	argv = read_list(PLAN "/argv");
	env = read_list(PLAN "/env");
	shares = read_list(PLAN "/shares");
	clearenv();
	for (size_t i = 0; env[i]; i++)
		putenv(env[i]);

	make_root(shares);
	sethostname("guest", strlen("guest"));
	loopback_up();
	bind_devices();
	leave_to_child();
	report(status_port, text("exit %d\n", run_command(argv)));
	power_off();
}
