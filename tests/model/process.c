/* Operations that create other processes. */
#define _GNU_SOURCE
#include "operations.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Which of child and parent releases memory, and when. */
enum order { ONLY_LOOK, CHILD_UNMAPS_FIRST, PARENT_UNMAPS_FIRST, ORDERS };

/* Looks up, sends the answer to the parent, and waits until it was compared. */
static void child(int parent, const struct area *area, size_t pages, enum order order)
{
	uint64_t entries[MAX_SMALL];
	char byte;

	/* A child has no page tables of shared memory yet. */
	for (size_t i = 0; i < pages && i < area_backed(area); i++)
		touch(area, i, false);
	look_up(OPEN_SEEK_READ, area->va, pages, entries);
	/* The child's pages go. The pages that its parent was told must stay. */
	if (order == CHILD_UNMAPS_FIRST)
		for (area = areas; area < areas + MAX_AREAS; area++)
			if (area->pages && area->kind != HEAP)
				munmap(area->va, area_size(area));
	if (send(parent, entries, pages * sizeof(*entries), 0) > 0)
		while (recv(parent, &byte, 1, 0) > 0)
			;
	_exit(0);
}

void write_to_all(void)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		for (size_t i = 0; area->pages && i < area_backed(area); i++)
			if (area_owed(area, i))
				touch(area, i, true);
}

static void check_order(pid_t pid, struct area *area, const uint64_t *entries, size_t pages,
			enum order order)
{
	struct range range = {(uintptr_t)area->va, (uint32_t)pages, area->shift};
	static uint64_t now[MAX_SMALL];

	/* All pages that this process was told are checked. */
	if (order == CHILD_UNMAPS_FIRST) {
		say(", unmaps all");
		check_truth(LOOK_AFTER_MOVING);
		return;
	}
	if (area->kind == MALLOC || area->kind == HEAP || area->shift != PAGE_SHIFT || area->barred)
		return;
	say(", and keeps it");
	unmap_area(area, 0, false);
	observer_look(LOOK_AFTER_MOVING, pid, &range, 1, now);
	for (size_t i = 0; i < pages; i++)
		if (entries[i] & PRESENT && (entries[i] ^ now[i]) & (PRESENT | PFN))
			fail("page %zu of the child was said to be at frame 0x%llx, is at 0x%llx",
			     i, entries[i] & PFN, now[i] & PFN);
}

void do_fork(const struct step *step)
{
	struct area *area = pick(step->slot);
	size_t pages = area && area->pages < MAX_SMALL ? area->pages : MAX_SMALL;
	enum order order = step->from % ORDERS;
	uint64_t entries[MAX_SMALL];
	ssize_t size = (ssize_t)(pages * sizeof(*entries));
	int ends[2], status;
	pid_t pid;

	if (!area || rights_are_dropped() || (read_only_is_refused() && !area->writable))
		return;
	say("%s: the child looks up", step->quiet ? " quietly" : "");
	say_area(area);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail("socketpair: %s", strerror(errno));
	/* A quiet fork calls no handler of pthread_atfork(). */
	pid = step->quiet ? (pid_t)behind.syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	if (step->write)
		write_to_all();
	if (pid == 0) {
		close(ends[0]);
		child(ends[1], area, pages, order);
	}
	close(ends[1]);
	if (recv(ends[0], entries, sizeof(entries), 0) != size)
		fail("the child fails to look up its memory");
	area_doubted(area, pages);
	write_to_all();
	if (order == ONLY_LOOK)
		check_answer(pid, area, 0, entries, pages);
	else
		check_order(pid, area, entries, pages, order);
	close(ends[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		fail("the child ends with status %x", status);
}

/* A child that runs in this process's memory and closes descriptors. */
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
		if (step->write)
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != (step->write ? SIGKILL : 0))
		fail("vfork: %s, status %x", strerror(errno), status);
}

struct guest {
	struct area *area;
	size_t pages;
	bool is_killed;
	int error;
	uint64_t entries[MAX_SMALL];
};

/* Runs in its parent's memory, as another process with its own descriptors. */
static int look_up_as_guest(void *arg)
{
	struct guest *guest = arg;

	guest->error = try_look_up(INHERITED_PREAD, guest->area->va, guest->pages, guest->entries);
	if (guest->is_killed)
		kill(getpid(), SIGKILL);
	_exit(0);
}

/* What the child is told, its parent is told as well, as they share memory. */
void do_clone(const struct step *step)
{
	static char stack[1 << 17] __attribute__((aligned(4096)));
	struct guest guest = {.area = pick(step->slot), .is_killed = step->write};
	int status;
	pid_t pid;

	if (!guest.area || rights_are_dropped() || !look_is_kept())
		return;
	guest.pages = guest.area->pages < MAX_SMALL ? guest.area->pages : MAX_SMALL;
	/* The parent must identify the descriptor itself, as it does when it first pins a page. */
	look_up_fresh_pages();
	say(" in this memory%s", step->write ? ", killed:" : ":");
	say_area(guest.area);
	pid = clone(look_up_as_guest, stack + sizeof(stack),
		    CLONE_VM | (step->whole ? CLONE_VFORK : 0) | SIGCHLD, &guest);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != (step->write ? SIGKILL : 0))
		fail("clone: %s, status %x", strerror(errno), status);
	check_truth(LOOK);
	if (guest.error && !(read_only_is_refused() && guest.error == EFAULT))
		fail("its look-up fails: %s", strerror(guest.error));
	if (guest.error) {
		memory_ask(guest.pages);
		memory_doubt(guest.pages);
	} else {
		check_answer(getpid(), guest.area, 0, guest.entries, guest.pages);
	}
}

/* Memory that cannot be pinned again would be lost. The library reports that: no error. */
static bool can_be_pinned_anew(void)
{
	for (struct area *area = areas; area < areas + MAX_AREAS; area++)
		if (area->pages && (area->barred || (read_only_is_refused() && !area->writable)))
			return false;
	return !rights_are_dropped();
}

void do_daemon(const struct step *step)
{
	pid_t old = getpid();

	(void)step;
	if (!can_be_pinned_anew())
		return;
	if (daemon(1, 1) < 0)
		fail("daemon: %s", strerror(errno));
	/* Otherwise the parent's end would end this process. */
	while (getppid() == old)
		usleep(100);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sequence_continues();
	say(" is another process");
	check_truth(LOOK_AFTER_MOVING);
}
