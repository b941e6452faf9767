/* SPDX-License-Identifier: MIT */
#include "cli/trap.h"

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

#ifndef BUILD_TRAP

bool trap_has_obstacle(struct obstacle *obstacle)
{
	snprintf(obstacle->what, sizeof(obstacle->what),
		 "no system calls can be trapped on this "
		 "processor");
	snprintf(obstacle->instead, sizeof(obstacle->instead), "use a preload");
	return true;
}

int trap_prepare(void)
{
	return -ENOSYS;
}

void trap_cancel(void)
{
}

#else

#include "trap/inject.h"

/* In image.S. */
extern const char trap_image[];

static bool found(struct obstacle *obstacle, const char *what, const char *instead)
{
	snprintf(obstacle->what, sizeof(obstacle->what), "%s", what);
	snprintf(obstacle->instead, sizeof(obstacle->instead), "%s", instead);
	return true;
}

/* The number after name in a file of /proc, or -1. */
static long number_in(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	size_t len = strlen(name);
	long number = -1;
	char line[256];

	if (!file)
		return -1;
	while (number < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len))
			number = strtol(line + len, NULL, 10);
	fclose(file);
	return number;
}

static bool has_capability(unsigned int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return !syscall(SYS_capget, &header, data) &&
	       data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

/* ---- known obstacles ---- */

static bool is_refused(struct obstacle *obstacle)
{
	const unsigned int action = SECCOMP_RET_TRAP;
	long scope = number_in("/proc/sys/kernel/yama/ptrace_scope", "");

	if (number_in("/proc/self/status", "TracerPid:") > 0)
		return found(obstacle, "a debugger or strace traces this command",
			     "attach it to the program once that runs");
	if (scope == 3)
		return found(obstacle, "kernel.yama.ptrace_scope is 3: no process may be traced",
			     "boot with it set to 2 or less");
	if (scope == 2 && !has_capability(CAP_SYS_PTRACE))
		return found(obstacle,
			     "kernel.yama.ptrace_scope is 2, and CAP_SYS_PTRACE is missing",
			     "add that capability, or run sysctl kernel.yama.ptrace_scope=1");
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return found(obstacle, "seccomp() is refused here, or the kernel lacks it",
			     "allow seccomp in the container's profile; the kernel needs "
			     "CONFIG_SECCOMP_FILTER");
	if (!has_capability(CAP_SYS_ADMIN) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return found(obstacle, "seccomp() needs CAP_SYS_ADMIN or no_new_privs",
			     "add that capability, or run it by setpriv --no-new-privs");
	return false;
}

/* ---- the helper ---- */

static pid_t helper;

/* The helper ends when the program starts, and has no exit signal. */
static pid_t start_helper(int ready, int start)
{
	const struct image_head *head = (const void *)trap_image;
	struct inject_target target = {getpid(), getpid()};
	struct inject now = {trap_image, trap_image + head->text_size, {0}, ready};
	pid_t pid = (pid_t)syscall(SYS_clone, 0L, NULL, NULL, NULL, 0L);
	int ret;

	if (pid)
		return pid;
	/* If the parent has ended, read() returns 0. */
	if (read(start, &now.origin.helper, sizeof(now.origin.helper)) != sizeof(now.origin.helper))
		_exit(0);
	ret = inject(&now, &target);
	if (ret)
		complain("the program is killed before it starts: it cannot be served (%s)",
			 strerror(-ret));
	_exit(0);
}

static int attach(int ready[2], int start[2])
{
	int said = -EPERM;

	helper = start_helper(ready[1], start[0]);
	if (helper < 0)
		return -errno;
	close(ready[1]);
	ready[1] = -1;
	/* Yama lets a child attach only if PR_SET_PTRACER names it. */
	prctl(PR_SET_PTRACER, helper, 0, 0, 0);
	if (write(start[1], &helper, sizeof(helper)) != sizeof(helper) ||
	    read(ready[0], &said, sizeof(said)) != sizeof(said))
		said = -EPERM;
	if (said)
		trap_cancel();
	return said;
}

int trap_prepare(void)
{
	int ready[2] = {-1, -1}, start[2] = {-1, -1};
	int ret =
		pipe2(ready, O_CLOEXEC) || pipe2(start, O_CLOEXEC) ? -errno : attach(ready, start);

	for (int i = 0; i < 2; i++) {
		if (ready[i] >= 0)
			close(ready[i]);
		if (start[i] >= 0)
			close(start[i]);
	}
	return ret;
}

/* ---- trying it ---- */

/* Exit statuses above this are an errno of trap_prepare(). */
#define NOT_PREPARED 100

/* In a child: executes this command again with traps. It exits with 0. */
__attribute__((noreturn)) static void try(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), ret;

	unsetenv("NOIOMMU_SHIM_LOG_FILE");
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(1);
	ret = trap_prepare();
	if (ret)
		_exit(NOT_PREPARED - ret);
	execl("/proc/self/exe", "noiommu-shim", "--version", NULL);
	_exit(1);
}

/* 0, an errno if no helper can attach, or -1 if the program ended early. */
static int trial(void)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		try();
	if (pid < 0)
		return errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	if (!WIFEXITED(status))
		return -1;
	status = WEXITSTATUS(status);
	return status > NOT_PREPARED ? status - NOT_PREPARED : -(status != 0);
}

bool trap_has_obstacle(struct obstacle *obstacle)
{
	int ret;

	if (is_refused(obstacle))
		return true;
	ret = trial();
	if (!ret)
		return false;
	if (ret < 0)
		return found(obstacle, "a program that was started as a test ended early",
			     "check whether a security module or a seccomp profile forbids it");
	snprintf(obstacle->what, sizeof(obstacle->what), "no helper can attach to a program (%s)",
		 strerror(ret));
	snprintf(obstacle->instead, sizeof(obstacle->instead),
		 "allow ptrace in the container's profile");
	return true;
}

void trap_cancel(void)
{
	if (helper <= 0)
		return;
	kill(helper, SIGKILL);
	while (waitpid(helper, NULL, __WALL) < 0 && errno == EINTR)
		;
	helper = 0;
}

#endif
