/* SPDX-License-Identifier: MIT */
/*
 * A whole sequence, from a clean start to a clean end. The steps between fork()
 * and exit() are a child's, which sends its part of the transcript through a
 * pipe while the parent waits. A child's exec() replaces it by this program
 * anew, which goes on with the descriptors that are left.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "differential.h"

enum { TIME_LIMIT = 120, OWN_FDS = 64 };

static int fds_at_start = -1;

uint64_t hash(const char *text, size_t length)
{
	uint64_t value = 0xcbf29ce484222325;

	while (length--)
		value = (value ^ (unsigned char)*text++) * 0x100000001b3;
	return value;
}

/* As a program sees them: what is hidden from it does not count. */
static int count_fds(void)
{
	int nr = 0;

	for (int fd = 0; fd < OWN_FDS; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static void write_line(FILE *transcript, int number, const char *step, struct answer *a,
		       bool in_child)
{
	differences_mask(step, a->text);
	fprintf(transcript, "%3d%c %-60s -> %s\n", number, in_child ? '|' : ' ', step, a->text);
}

/* Each line at once: if the child dies, what it has seen is not lost. */
static void perform_step(const struct step *step, FILE *transcript, bool in_child)
{
	static struct answer a;

	perform(step->text, &a, in_child);
	write_line(transcript, step->number, step->text, &a, in_child);
	if (in_child)
		fflush(transcript);
}

static bool is(const struct step *step, const char *text)
{
	return !strcmp(step->text, text);
}

/* ---- children ------------------------------------------------------------ */

static int script_of_rest(const struct sequence *sequence, int from)
{
	static struct sequence rest;
	int fd = memfd_create("script", 0);
	FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "w");

	if (!file)
		err(2, "script for exec");
	rest.nr = sequence->nr - from;
	memcpy(rest.step, sequence->step + from, rest.nr * sizeof(rest.step[0]));
	sequence_write(&rest, file);
	fclose(file);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void replace_by_rest(const struct sequence *sequence, int from, int pipe)
{
	char state[256], script[64];
	size_t used = snprintf(state, sizeof(state), "%d,", pipe);

	slots_write(state + used, sizeof(state) - used);
	snprintf(script, sizeof(script), "/proc/self/fd/%d", script_of_rest(sequence, from));
	execl("/proc/self/exe", "differential", "--devices", world_addresses(), "--differences",
	      differences_path(), "--script", script, "--resume", state, (char *)NULL);
	err(2, "exec");
}

static void run_as_child(const struct sequence *sequence, int i, int pipe)
{
	FILE *transcript = fdopen(pipe, "w");

	/* Before the parent's, which then can say what became of the child. */
	alarm(TIME_LIMIT / 2);
	for (; i < sequence->nr && !is(&sequence->step[i], "exit()"); i++) {
		if (is(&sequence->step[i], "exec()"))
			replace_by_rest(sequence, i + 1, pipe);
		perform_step(&sequence->step[i], transcript, true);
	}
	_exit(0);
}

void run_resumed(const struct sequence *sequence, const char *state)
{
	slots_read(strchr(state, ',') + 1);
	run_as_child(sequence, 0, atoi(state));
	abort();
}

static void copy_until_end(int pipe, FILE *transcript)
{
	char text[4096];
	ssize_t length;

	while ((length = read(pipe, text, sizeof(text))) > 0)
		fwrite(text, 1, length, transcript);
}

static void wait_for(pid_t child, FILE *transcript)
{
	int status = 0;

	waitpid(child, &status, 0);
	if (WIFSIGNALED(status))
		fprintf(transcript, "child killed by signal %d\n", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		fprintf(transcript, "child exits with %d\n", WEXITSTATUS(status));
}

/* Returns the step after the child's last one. */
static int run_child(const struct sequence *sequence, int i, FILE *transcript)
{
	int ends[2];
	pid_t child;

	if (pipe(ends))
		err(2, "pipe");
	fflush(transcript);
	child = fork();
	if (child < 0)
		err(2, "fork");
	if (!child) {
		close(ends[0]);
		run_as_child(sequence, i, ends[1]);
	}
	close(ends[1]);
	copy_until_end(ends[0], transcript);
	close(ends[0]);
	wait_for(child, transcript);

	while (i < sequence->nr && !is(&sequence->step[i], "exit()"))
		i++;
	return i + 1;
}

/* ---- the whole ----------------------------------------------------------- */

/*
 * O_CREAT must not reach the file system where a node is only pretended. The
 * file would change all that follows.
 */
static void remove_file(const char *path, struct answer *a)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISREG(st.st_mode) && !unlink(path))
		answer(a, " left=file");
}

static void answer_group(int i, struct answer *a)
{
	char name[] = "/dev/vfio/noiommu-$gA", path[64];
	int fd;

	name[strlen(name) - 1] += i;
	world_expand(name, path, sizeof(path));
	remove_file(path, a);
	fd = open(path, O_RDWR);
	answer(a, " group-%c=%s", 'A' + i, fd < 0 ? strerrorname_np(errno) : "free");
	if (fd >= 0)
		close(fd);
}

/* Whatever a sequence did, its end leaves everything as it was before. */
static void end(FILE *transcript)
{
	static struct answer a;
	int fds;

	slots_close();
	if (chdir("/"))
		err(2, "chdir");
	fds = count_fds();

	a.used = 0;
	answer(&a, "fds=%+d", fds - fds_at_start);
	remove_file("/dev/vfio/vfio", &a);
	for (int i = 0; i < world_devices(); i++)
		answer_group(i, &a);
	observer_look(&a);
	differences_mask("end", a.text);
	fprintf(transcript, "end %s\n", a.text);
	fds_at_start = fds;
}

/* What the library keeps open from its first use on is no leak. */
static void warm_up(void)
{
	static const char *const steps[] = {
		"c0 = open(/dev/vfio/vfio, O_RDWR)",
		"g0 = open(/dev/vfio/noiommu-$gA, O_RDWR)",
		"ioctl(g0, GROUP_SET_CONTAINER, {c0})",
		"ioctl(c0, SET_IOMMU, 8)",
		"d0 = ioctl(g0, GROUP_GET_DEVICE_FD, \"$dA\")",
		"close(d0)",
	};
	static struct answer ignored;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		perform(steps[i], &ignored, false);
	slots_close();
	fds_at_start = count_fds();
	observer_meet();
}

void run_sequence(const struct sequence *sequence, FILE *transcript)
{
	int i = 0;

	if (fds_at_start < 0)
		warm_up();
	alarm(TIME_LIMIT);
	while (i < sequence->nr) {
		const struct step *step = &sequence->step[i++];

		if (is(step, "fork()"))
			i = run_child(sequence, i, transcript);
		else if (!is(step, "exit()") && !is(step, "exec()"))
			perform_step(step, transcript, false);
	}
	end(transcript);
	alarm(0);
}
