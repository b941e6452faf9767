/* SPDX-License-Identifier: MIT */
#include "conformance.h"

#include <sys/wait.h>

/* It ends the process that calls it. */
static void become(int keeps_directory, int keeps_files)
{
	int ends[2];
	char byte;
	pid_t pid;

	fflush(stdout);
	if (pipe(ends))
		return;
	pid = fork();
	if (pid == 0) {
		int output = dup(1);
		char where[4096];

		CALL(the.daemon(keeps_directory, keeps_files));
		dup2(output, 1);
		tell("in / %d, input is null %d, leads its session %d",
		     !strcmp(getcwd(where, sizeof(where)), "/"), read(0, &byte, 1) == 0,
		     getsid(0) == getpid());
		fflush(stdout);
		_exit(0);
	}
	/* The new process writes first: it ends before the pipe does. */
	close(ends[1]);
	read(ends[0], &byte, 1);
	close(ends[0]);
	tell("the child that called it ended %d", waitpid(pid, NULL, 0) == pid);
}

CASE(daemon)
{
	become(1, 1);
	become(0, 0);
}
