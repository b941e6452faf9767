/* Other processes and threads, each of which performs a block. */
#define _GNU_SOURCE
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Those that live at the same time. */
static struct other {
	bool lives, is_thread;
	pthread_t thread;
	int block; /* of a thread */
	pid_t pid;
	int until; /* a child lives until this is closed */
} others[OTHERS];

static const struct program *program_now(void)
{
	for (size_t i = 0; i < programs_count; i++)
		if (programs[i].seed == report->seed)
			return &programs[i];
	abort();
}

static void perform(int block)
{
	int outer = block_now();

	block_begins(block);
	program_now()->blocks[block]();
	block_begins(outer);
}

static const char *const births[] = {"fork",	      "clone",		"clone3",
				     "fork and exec", "vfork and exec", "spawn"};

/* ---- another program that is this one -------------------------------------------------- */

struct arguments {
	char text[40 + DESCRIPTORS * 8];
	char *list[4];
};

static void arguments_for(struct arguments *arguments, int block, int until)
{
	size_t used = (size_t)sprintf(arguments->text, "%d,%d,%d", block, until, numbers_unknown);

	for (int i = 0; i < DESCRIPTORS; i++)
		used += (size_t)sprintf(arguments->text + used, ",%d", descriptors[i]);
	arguments->list[0] = (char *)"programs";
	arguments->list[1] = (char *)report_path;
	arguments->list[2] = arguments->text;
	arguments->list[3] = NULL;
}

/* ---- children ------------------------------------------------------------------------------ */

/* A child must not have the ends that keep others alive. */
static void let_others_end(void)
{
	for (int i = 0; i < OTHERS; i++)
		if (others[i].lives && !others[i].is_thread)
			close(others[i].until);
}

static void wait_until(int until)
{
	char byte;

	if (until >= 0)
		while (read(until, &byte, 1) < 0 && errno == EINTR)
			;
}

static void live_as_child(int block, int until)
{
	let_others_end();
	memory_copied(true);
	memory_owner = getpid();
	perform(block);
	wait_until(until);
	_exit(0);
}

static pid_t bear(enum birth birth, int block, int until)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	struct arguments arguments;
	pid_t pid = -1;
	int error;

	arguments_for(&arguments, block, until);
	switch (birth) {
	case FORK:
		pid = fork();
		break;
	case RAW_FORK:
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		break;
	case CLONE3:
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		break;
	case FORK_EXEC:
		pid = fork();
		if (!pid) {
			execv("/proc/self/exe", arguments.list);
			_exit(99);
		}
		return pid;
	case VFORK_EXEC:
		pid = vfork();
		if (!pid) {
			execv("/proc/self/exe", arguments.list);
			_exit(99);
		}
		return pid;
	default:
		error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments.list, environ);
		errno = error;
		return error ? -1 : pid;
	}
	if (!pid)
		live_as_child(block, until);
	return pid;
}

/* Descriptors that were closed by exec() are known to be none. */
void resume(const char *text)
{
	int block = atoi(text), until = atoi(strchr(text, ',') + 1);

	memory_owner = getpid();
	text = strchr(strchr(text, ',') + 1, ',') + 1;
	numbers_unknown = atoi(text);
	for (int i = 0; i < DESCRIPTORS; i++) {
		text = strchr(text, ',') + 1;
		descriptors[i] = atoi(text);
		if (descriptors[i] >= 0 && fcntl(descriptors[i], F_GETFD) < 0)
			descriptors[i] = -1;
	}
	perform(block);
	for (int i = 0; i < OTHERS; i++)
		if (others[i].lives && others[i].is_thread)
			pthread_join(others[i].thread, NULL);
	wait_until(until);
	exit(0);
}

static bool copies(enum birth birth)
{
	return birth <= CLONE3;
}

static void wait_for(const char *what, pid_t pid)
{
	int status = 0;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		say("%s: %s", what, answer(-1));
	else if (WIFSIGNALED(status))
		say("%s: signal %d", what, WTERMSIG(status));
	else
		say("%s: exit %d", what, WEXITSTATUS(status));
}

void child(enum birth birth, int block)
{
	pid_t pid = bear(birth, block, -1);

	if (birth <= FORK_EXEC)
		memory_copied(false);
	wait_for(births[birth], pid);
}

/* In its parent's memory, the thread-local one, too. */
void vfork_child(int block)
{
	int outer = block_now();
	pid_t pid;

	look_first();
	memory_is_borrowed = true;
	pid = vfork();
	if (!pid) {
		perform(block);
		_exit(0);
	}
	memory_is_borrowed = false;
	block_begins(outer);
	wait_for("vfork", pid);
}

static int live_in_memory(void *block)
{
	perform((int)(intptr_t)block);
	_exit(0);
}

void memory_child(int block)
{
	int outer = block_now();
	size_t size = 1 << 18;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	look_first();
	memory_is_borrowed = true;
	pid = clone(live_in_memory, stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD,
		    (void *)(intptr_t)block);
	memory_is_borrowed = false;
	block_begins(outer);
	wait_for("clone in memory", pid);
	munmap(stack, size);
}

void fork_twice(int block)
{
	pid_t pid = fork(), grandchild;
	int status;

	if (!pid) {
		memory_copied(true);
		memory_owner = getpid();
		grandchild = fork();
		if (!grandchild)
			live_as_child(block, -1);
		waitpid(grandchild, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	memory_copied(false);
	wait_for("fork twice", pid);
}

/* ---- at the same time -------------------------------------------------------------------------
 */

/* It lives until it is waited for, so that nothing depends on when it ends. */
void start_child(int number, enum birth birth, int block)
{
	struct other *other = &others[number];
	int ends[2], end;

	if (other->lives || pipe2(ends, O_CLOEXEC)) {
		say("start %d: not possible", number);
		return;
	}
	other->until = fcntl(ends[1], F_DUPFD_CLOEXEC, 350);
	close(ends[1]);
	end = fcntl(ends[0], copies(birth) ? F_DUPFD_CLOEXEC : F_DUPFD, 350);
	close(ends[0]);
	other->lives = true;
	other->is_thread = false;
	other->pid = bear(birth, block, end);
	close(end);
	if (birth <= FORK_EXEC)
		memory_copied(false);
	say("start %d by %s: %s", number, births[birth], answer(other->pid > 0 ? 0 : -1));
}

void wait_child(int number)
{
	struct other *other = &others[number];

	if (!other->lives || other->is_thread) {
		say("wait %d: none", number);
		return;
	}
	close(other->until);
	wait_for("wait", other->pid);
	other->lives = false;
}

static void *live_as_thread(void *argument)
{
	struct other *other = argument;

	perform(other->block);
	return NULL;
}

void start_thread(int number, int block)
{
	struct other *other = &others[number];

	if (other->lives) {
		say("thread %d: not possible", number);
		return;
	}
	numbers_unknown = true;
	memory_is_copied_anytime();
	other->block = block;
	other->lives = other->is_thread = true;
	say("thread %d: %d", number, pthread_create(&other->thread, NULL, live_as_thread, other));
}

void join_thread(int number)
{
	struct other *other = &others[number];

	if (!other->lives || !other->is_thread) {
		say("join %d: none", number);
		return;
	}
	say("join %d: %d", number, pthread_join(other->thread, NULL));
	other->lives = false;
}

/* ---- signals, commands, daemons ----------------------------------------------------------------
 */

static int handlers_block;

static void handler(int signal)
{
	(void)signal;
	perform(handlers_block);
}

void in_handler(int block)
{
	struct sigaction action = {.sa_handler = handler};

	handlers_block = block;
	sigaction(SIGUSR1, &action, NULL);
	say("raise: %s", answer(raise(SIGUSR1)));
}

void execute_nothing(int how)
{
	char *arguments[] = {(char *)"nothing", NULL};
	pid_t pid;

	if (how)
		say("spawn nothing: %s",
		    strerrorname_np(posix_spawn(&pid, "/nothing", NULL, NULL, arguments, environ)));
	else
		say("exec nothing: %s", answer(execv("/nothing", arguments)));
}

void run_command(int how)
{
	char text[16] = "";
	FILE *pipe;

	if (how == 0) {
		say("system: %d", system("exit 3"));
		return;
	}
	pipe = popen("echo $((6 * 7))", "re");
	if (pipe && fgets(text, sizeof(text), pipe))
		text[strcspn(text, "\n")] = '\0';
	say("popen: %s, %d", text, pipe ? pclose(pipe) : -1);
}

/* fork() leaves out shared memory, and the library needs it there to pin it anew. */
static void touch_again(void)
{
	for (struct memory *memory = memories; memory < memories + MEMORIES; memory++)
		for (size_t i = 0; memory->va && i < memory->pages && i < MAX_PAGES; i++)
			if (memory->told[i] && !memory->barred && memory->kind != BAR)
				*(volatile char *)(memory->va + (i << memory->shift));
}

/* Goes on as another process. Its parent ends. */
void become_daemon(void)
{
	int result = daemon(1, 1);

	for (struct memory *memory = memories; memory < memories + MEMORIES; memory++)
		if (memory->va)
			memory->copied = true;
	memory_owner = getpid();
	let_others_end();
	for (int i = 0; i < OTHERS; i++)
		others[i].lives = false;
	touch_again();
	say("daemon: %s", answer(result));
}

void die(int how)
{
	say("die %d", how);
	if (how == 0)
		_exit(3);
	if (how == 1)
		abort();
	kill(getpid(), SIGKILL);
}
