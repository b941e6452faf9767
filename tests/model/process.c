/* Other processes: those that are forked, and those that are spawned. */
#define _GNU_SOURCE
#include "operations.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Looks up, tells, and waits until all of that has been compared. */
static void child(int parent, const struct area *area, size_t pages)
{
	uint64_t entries[MAX_SMALL];
	char byte;

	/* Of shared memory a child has the page tables to make anew. */
	for (size_t i = 0; i < pages && i < area_backed(area); i++)
		touch(area, i, false);
	look_up(OPEN_SEEK_READ, area->va, pages, entries);
	if (send(parent, entries, pages * sizeof(*entries), 0) > 0)
		while (recv(parent, &byte, 1, 0) > 0)
			;
	_exit(0);
}

/* A write after a fork gives a page that is not pinned a new place. */
static void write_to_all(void)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		for (size_t i = 0; area->pages && i < area_backed(area); i++)
			if (area_owed(area, i))
				touch(area, i, true);
}

void do_fork(const struct step *step)
{
	struct area *area = pick(step->slot);
	size_t pages = area && area->pages < MAX_SMALL ? area->pages : MAX_SMALL;
	uint64_t entries[MAX_SMALL];
	ssize_t size = (ssize_t)(pages * sizeof(*entries));
	int ends[2], status;
	pid_t pid;

	if (!area)
		return;
	say(": the child looks up");
	say_area(area);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail("socketpair: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (step->write)
		write_to_all();
	if (pid == 0) {
		close(ends[0]);
		child(ends[1], area, pages);
	}
	close(ends[1]);
	if (recv(ends[0], entries, sizeof(entries), 0) != size)
		fail("the child fails to look up its memory");
	write_to_all();
	check_answer(pid, area, 0, entries, pages);
	close(ends[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		fail("the child ends with status %x", status);
}

/* A child that runs in this process's memory, and closes what it likes. */
void do_spawn(const struct step *step)
{
	char *args[] = {"nothing", NULL};
	int status;
	pid_t pid;

	if (step->whole) {
		say(" by posix_spawn");
		if (posix_spawn(&pid, "/dev/null", NULL, NULL, args, args) == 0)
			fail("/dev/null is a program");
		return;
	}
	say(" by vfork");
	pid = vfork();
	if (pid == 0) {
		closefrom(3);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail("vfork: %s, status %x", strerror(errno), status);
}
