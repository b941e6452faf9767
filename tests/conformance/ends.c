/* SPDX-License-Identifier: MIT */
/* The end of processes, and waiting for it. */
#include "conformance.h"

#include <sys/syscall.h>

static pid_t child(int status)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		syscall(SYS_exit_group, status);
	return pid;
}

static void tell_end(pid_t pid, int status)
{
	tell("it is the child %d, exited %d with %d", pid > 0, WIFEXITED(status),
	     WEXITSTATUS(status));
}

#define END_CASE(name)                                                                             \
	CASE(name)                                                                                 \
	{                                                                                          \
		pid_t pid;                                                                         \
		int status = 0;                                                                    \
                                                                                                   \
		fflush(stdout);                                                                    \
		pid = fork();                                                                      \
		if (pid == 0)                                                                      \
			the.name(300);                                                             \
		pid = waitpid(pid, &status, 0);                                                    \
		tell_end(pid, status);                                                             \
	}

END_CASE(_exit)
END_CASE(_Exit)

#define WAIT_CASE(name, any, none, gone)                                                           \
	CASE(name)                                                                                 \
	{                                                                                          \
		int status = 0;                                                                    \
		struct rusage usage;                                                               \
		pid_t pid = child(7);                                                              \
                                                                                                   \
		(void)usage;                                                                       \
		errno = UNTOUCHED;                                                                 \
		pid = any;                                                                         \
		tell_end(pid, status);                                                             \
		tell("errno is untouched %d", errno == UNTOUCHED);                                 \
		CALL(none);                                                                        \
		CALL(gone);                                                                        \
	}

WAIT_CASE(wait, the.wait(&status), the.wait(NULL), the.wait(BAD))
WAIT_CASE(waitpid, the.waitpid(pid, &status, 0), the.waitpid(-1, NULL, WNOHANG),
	  the.waitpid(-1, NULL, 0x700))
WAIT_CASE(wait3, the.wait3(&status, 0, &usage), the.wait3(NULL, WNOHANG, NULL),
	  the.wait3(NULL, 0x700, NULL))
WAIT_CASE(wait4, the.wait4(pid, &status, 0, &usage), the.wait4(-1, NULL, WNOHANG, NULL),
	  the.wait4(-1, NULL, 0x700, NULL))

CASE(waitid)
{
	siginfo_t info = {0};
	pid_t pid = child(7);

	CALL(the.waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	tell("it is the child %d, with %d", info.si_pid == pid, info.si_status);
	CALL(the.waitid(P_ALL, 0, NULL, WEXITED));
	CALL(the.waitid(P_ALL, 0, NULL, WEXITED));
	CALL(the.waitid(P_ALL, 0, BAD, 0));
}
